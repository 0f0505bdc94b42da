package eval

type tables struct{}
