package main

import (
	"fmt"
	"io"

	"remuda/format"
)

// convertCmd converts label files and proves that nothing was lost.
type convertCmd struct {
	From   string `arg:"" help:"Label files to read: COCO json, Pascal VOC folder, YOLO folder or data.yaml."`
	To     string `arg:"" help:"File or folder to write; it must not exist."`
	Kind   string `name:"to" help:"Format to write: coco, voc or yolo (default: coco for a name that ends in .json)." enum:"coco,voc,yolo," default:"" placeholder:"FORMAT"`
	Images string `help:"Folder of images, where the format needs their sizes (YOLO)." placeholder:"DIR"`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Run converts, re-reads and compares.
func (c *convertCmd) Run(m *Main) error {
	if c.Images != "" {
		if err := requireFolder(c.Images); err != nil {
			return err
		}
	}
	proof, err := format.Convert(c.From, format.Options{Images: c.Images, Size: sizeOf}, c.To, c.Kind)
	if err != nil {
		return invalid(err)
	}
	if c.JSON {
		return m.printJSON(proof)
	}
	text := fmt.Sprintf("%s: %s, %d boxes, read back and compared; largest difference %.2g px\n", c.To, count(proof.Items, "image"), proof.Boxes, proof.LargestDifference)
	for _, loss := range proof.Losses {
		text += "lost: " + loss + "\n"
	}
	_, err = io.WriteString(m.Stdout, text)
	return err
}
