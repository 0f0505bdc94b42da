package imageio

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"golang.org/x/image/ccitt"
	"golang.org/x/image/tiff/lzw"
)

// Tags of TIFF 6.0's baseline that say how pixels are stored.
const (
	tagWidth        = 256
	tagHeight       = 257
	tagBits         = 258
	tagCompression  = 259
	tagPhotometric  = 262
	tagFillOrder    = 266
	tagStripOffsets = 273
	tagSamples      = 277
	tagRowsPerStrip = 278
	tagStripCounts  = 279
	tagPlanar       = 284
	tagPredictor    = 317
	tagColorMap     = 320
	tagTileWidth    = 322
	tagTileHeight   = 323
	tagTileOffsets  = 324
	tagTileCounts   = 325
	tagExtraSamples = 338
	tagSampleFormat = 339
)

// What PhotometricInterpretation can be.
const (
	whiteIsZero = 0
	blackIsZero = 1
	colorRGB    = 2
	paletted    = 3
	separated   = 5 // CMYK
)

// maxSamples bounds the channels of a pixel.
const maxSamples = 16

func probeTIFF(s source) (h header, err error) {
	d, ok := readDirectory(s)
	if !ok {
		return h, fmt.Errorf("its directory is not in the file: %w", io.ErrUnexpectedEOF)
	}
	h.StoredWidth, h.StoredHeight, h.Orientation = d.number(tagWidth, 0), d.number(tagHeight, 0), d.number(tagOrientation, 0)
	return h, nil
}

// tiffImage is the first image of a TIFF file as its directory describes it.
type tiffImage struct {
	directory
	data          []byte // the file
	width, height int
	bits          int // of a sample: 1, 2, 4, 8 or 16
	samples       int // of a pixel
	photometric   int
	compression   int
	predictor     bool // samples are differences from those to their left
	planar        bool // each channel is stored for itself
	premultiplied bool // RGB was multiplied by an alpha channel
	palette       [256][3]byte
	blockW        int // of a tile; of a strip, the width of the image
	blockH        int
	offsets       []int // of the tiles or strips
	counts        []int // their bytes
}

// decodeTIFF decodes the first image: grey, palette, RGB or CMYK of 1 to 16
// bits in strips or tiles, uncompressed, LZW, deflate, PackBits or CCITT fax.
// Rows are decompressed one by one, so that a hostile file costs no memory.
func decodeTIFF(data []byte) (*RGB, error) {
	d, ok := readDirectory(memory(data))
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	t := tiffImage{directory: d, data: data}
	for _, read := range []func() error{t.readFormat, t.readPalette, t.readLayout} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	out := NewRGB(t.width, t.height)
	planes := 1
	if t.planar && t.photometric == colorRGB {
		planes = 3 // those behind are alpha
	}
	for plane := range planes {
		if err := t.decodePlane(out, plane); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readFormat reads what a pixel is.
func (t *tiffImage) readFormat() error {
	t.width, t.height = t.number(tagWidth, 0), t.number(tagHeight, 0)
	t.compression, t.photometric = t.number(tagCompression, 1), t.number(tagPhotometric, -1)
	t.samples, t.planar, t.predictor = t.number(tagSamples, 1), t.number(tagPlanar, 1) == 2, t.number(tagPredictor, 1) == 2
	depths, err := t.numbers(tagBits)
	if err != nil {
		return err
	}
	if t.bits = 1; len(depths) > 0 {
		t.bits = depths[0]
	}
	extra, err := t.numbers(tagExtraSamples)
	if err != nil {
		return err
	}
	const associated = 1
	t.premultiplied = t.photometric == colorRGB && len(extra) > 0 && extra[0] == associated && t.samples >= 4
	color := map[int]int{whiteIsZero: 1, blackIsZero: 1, paletted: 1, colorRGB: 3, separated: 4}[t.photometric]
	switch {
	case color == 0:
		return fmt.Errorf("its colours are of kind %d, which is not read", t.photometric)
	case t.samples < color || t.samples > maxSamples:
		return fmt.Errorf("it has %d channels", t.samples)
	case !slices.Contains([]int{1, 2, 4, 8, 16}, t.bits) || slices.ContainsFunc(depths, func(b int) bool { return b != t.bits }):
		return fmt.Errorf("it has %d bits a channel, which is not read", depths)
	case t.number(tagSampleFormat, 1) != 1:
		return errors.New("its samples are signed or floating-point numbers, which are not read")
	case t.predictor && t.bits < 8 || t.number(tagPredictor, 1) > 2:
		return errors.New("its predictor is not read")
	case t.planar && (t.premultiplied || t.photometric == separated):
		return errors.New("its channels are stored apart, which is not read for CMYK and premultiplied colours")
	}
	return nil
}

// readPalette reads the colour map, of which Pillow takes the high bytes.
func (t *tiffImage) readPalette() error {
	if t.photometric != paletted {
		return nil
	}
	colors, err := t.numbers(tagColorMap)
	if err != nil {
		return err
	}
	if t.bits > 8 {
		return errors.New("its palette has more than 256 colours, which is not read")
	}
	n := len(colors) / 3
	for i := range min(n, len(t.palette)) {
		t.palette[i] = [3]byte{byte(colors[i] >> 8), byte(colors[n+i] >> 8), byte(colors[2*n+i] >> 8)}
	}
	return nil
}

// readLayout reads where the pixels are.
func (t *tiffImage) readLayout() (err error) {
	offsets, counts := uint16(tagStripOffsets), uint16(tagStripCounts)
	t.blockW, t.blockH = t.width, min(t.number(tagRowsPerStrip, t.height), t.height)
	if _, tiles := t.entries[tagTileOffsets]; tiles {
		offsets, counts = tagTileOffsets, tagTileCounts
		t.blockW, t.blockH = t.number(tagTileWidth, 0), t.number(tagTileHeight, 0)
	}
	if t.blockW < 1 || t.blockH < 1 || t.blockW > MaxSide || t.blockH > MaxSide {
		return fmt.Errorf("its tiles are %d × %d pixels", t.blockW, t.blockH)
	}
	if t.offsets, err = t.numbers(offsets); err != nil {
		return err
	}
	if t.counts, err = t.numbers(counts); err != nil {
		return err
	}
	need := t.across() * t.down()
	if t.planar {
		need *= t.samples
	}
	if len(t.offsets) < need {
		return fmt.Errorf("it has %d strips or tiles, and needs %d: %w", len(t.offsets), need, io.ErrUnexpectedEOF)
	}
	return nil
}

func (t *tiffImage) across() int { return (t.width + t.blockW - 1) / t.blockW }
func (t *tiffImage) down() int   { return (t.height + t.blockH - 1) / t.blockH }

// decodePlane decodes all blocks of a plane, which has all channels unless
// they are stored apart.
func (t *tiffImage) decodePlane(out *RGB, plane int) error {
	channels := t.samples
	if t.planar {
		channels = 1
	}
	packed := make([]byte, (t.blockW*channels*t.bits+7)/8)
	row := make([]byte, t.blockW*channels)
	for by := range t.down() {
		for bx := range t.across() {
			rows, err := t.block((plane*t.down()+by)*t.across() + bx)
			if err != nil {
				return err
			}
			x := bx * t.blockW
			w := min(t.blockW, t.width-x)
			for y := by * t.blockH; y < min((by+1)*t.blockH, t.height); y++ {
				if _, err := io.ReadFull(rows, packed); err != nil {
					return fmt.Errorf("row %d: %w", y, unexpected(err))
				}
				t.unpack(row, packed, channels)
				dst := out.Pix[3*(y*out.Width+x):][:3*w]
				if t.planar {
					t.channel(dst, row, plane)
				} else {
					t.pixels(dst, row)
				}
			}
		}
	}
	return nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// block returns a reader of a strip's or tile's rows.
func (t *tiffImage) block(i int) (io.Reader, error) {
	from := t.offsets[i]
	if from > len(t.data) {
		return nil, io.ErrUnexpectedEOF
	}
	data := t.data[from:]
	if i < len(t.counts) && t.counts[i] < len(data) {
		data = data[:t.counts[i]]
	}
	const reversed = 2
	if t.number(tagFillOrder, 1) == reversed {
		data = slices.Clone(data)
		for k, b := range data {
			data[k] = bits.Reverse8(b)
		}
	}
	switch t.compression {
	case 1:
		return bytes.NewReader(data), nil
	case 3, 4:
		format := ccitt.Group3
		if t.compression == 4 {
			format = ccitt.Group4
		}
		// A set bit is black, as fax has it; what black is, PhotometricInterpretation says.
		return ccitt.NewReader(bytes.NewReader(data), ccitt.MSB, format, t.blockW, min(t.blockH, t.height), &ccitt.Options{Invert: true}), nil
	case 5:
		return lzw.NewReader(bytes.NewReader(data), lzw.MSB, 8), nil
	case 8, 32946:
		return zlib.NewReader(bytes.NewReader(data))
	case 32773:
		return &packBits{data: data}, nil
	}
	return nil, fmt.Errorf("its compression %d is not read", t.compression)
}

// unpack makes a row's samples bytes: indices of a palette as they are, other
// samples 0 to 255.
func (t *tiffImage) unpack(row, packed []byte, channels int) {
	switch t.bits {
	case 8:
		copy(row, packed)
		if t.predictor {
			for i := channels; i < len(row); i++ {
				row[i] += row[i-channels]
			}
		}
	case 16:
		t.unpack16(row, packed, channels)
	default:
		most := 1<<t.bits - 1
		scale := byte(255 / most)
		if t.photometric == paletted {
			scale = 1
		}
		for i := range row {
			bit := i * t.bits
			v := int(packed[bit/8]) >> (8 - t.bits - bit%8) & most
			row[i] = byte(v) * scale
		}
	}
	if t.photometric == whiteIsZero && t.bits <= 8 { // Pillow doesn't invert 16 bits
		for i, v := range row {
			row[i] = 255 - v
		}
	}
}

// unpack16 keeps the high byte of colour, and clips grey to 255 (see toRGB).
func (t *tiffImage) unpack16(row, packed []byte, channels int) {
	clip := t.samples == 1
	left := make([]uint16, channels)
	for i := range row {
		v := t.order.Uint16(packed[2*i:])
		if t.predictor {
			v += left[i%channels]
			left[i%channels] = v
		}
		if row[i] = byte(v >> 8); clip {
			row[i] = byte(min(v, 255))
		}
	}
}

// pixels converts a row of all channels to RGB.
func (t *tiffImage) pixels(dst, row []byte) {
	for ; len(dst) >= 3; dst, row = dst[3:], row[t.samples:] {
		switch {
		case t.photometric == paletted:
			copy(dst[:3], t.palette[row[0]][:])
		case t.photometric == separated:
			cmykToRGB(dst, row[0], row[1], row[2], row[3])
		case t.premultiplied:
			unpremultiply(dst, row)
		case t.photometric == colorRGB:
			copy(dst[:3], row[:3])
		default:
			dst[0], dst[1], dst[2] = row[0], row[0], row[0]
		}
	}
}

// channel writes a row of one of the channels that are stored apart.
func (t *tiffImage) channel(dst, row []byte, plane int) {
	for x := range len(dst) / 3 {
		switch {
		case t.photometric == paletted:
			copy(dst[3*x:3*x+3], t.palette[row[x]][:])
		case t.photometric == colorRGB:
			dst[3*x+plane] = row[x]
		default:
			dst[3*x], dst[3*x+1], dst[3*x+2] = row[x], row[x], row[x]
		}
	}
}

// packBits decompresses Apple's run-length coding (TIFF 6.0, section 9).
type packBits struct {
	data   []byte
	left   int  // bytes of the current run
	repeat bool // of the byte at data's start, else literal
}

// Read implements io.Reader.
func (p *packBits) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if p.left == 0 {
			if len(p.data) == 0 {
				break
			}
			c := int(int8(p.data[0]))
			p.data = p.data[1:]
			switch {
			case c >= 0:
				p.left, p.repeat = c+1, false
			case c > -128:
				p.left, p.repeat = 1-c, true
			}
			continue
		}
		if len(p.data) == 0 {
			return n, io.ErrUnexpectedEOF
		}
		b[n] = p.data[0]
		n++
		p.left--
		if !p.repeat || p.left == 0 {
			p.data = p.data[1:]
		}
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
