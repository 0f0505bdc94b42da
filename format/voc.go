package format

import "remuda"

func detectFolder(path string) (string, error) {
	return "", remuda.Errorf(remuda.Invalid, "read labels %s: folders are not read yet", path)
}
func imageSetRoot(string) string { return "" }
func readVOC(path string, o Options) (remuda.Dataset, error) {
	return remuda.Dataset{}, remuda.Errorf(remuda.Invalid, "read labels %s: Pascal VOC is not read yet", path)
}
func readYOLO(path string, o Options) (remuda.Dataset, error) {
	return remuda.Dataset{}, remuda.Errorf(remuda.Invalid, "read labels %s: YOLO is not read yet", path)
}
