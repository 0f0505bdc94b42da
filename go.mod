module remuda

go 1.26
