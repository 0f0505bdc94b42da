package flow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"remuda"
	"remuda/blob"
	"remuda/imageio"
	"remuda/store"
)

// URLs of images are good for one to two of these, and the same all through
// one, so that caches can keep what they got.
const imageURLFor = 24 * time.Hour

// signing makes and checks the URLs that authorise by themselves.
type signing struct {
	mu     sync.Mutex
	signer *blob.Signer
}

// Signer returns what makes and checks the URLs that authorise by themselves,
// with a secret that the database keeps.
func (f *Flow) Signer(ctx context.Context) (*blob.Signer, error) {
	f.signing.mu.Lock()
	defer f.signing.mu.Unlock()
	if f.signing.signer != nil {
		return f.signing.signer, nil
	}
	var secret []byte
	err := f.DB.Write(ctx, remuda.Caller{}, func(tx *store.Tx) (err error) {
		secret, err = tx.Secret("urls")
		return err
	})
	if err != nil {
		return nil, err
	}
	f.signing.signer, err = blob.NewSigner(secret, f.now)
	return f.signing.signer, err
}

// now is the time by the flow's clock.
func (f *Flow) now() time.Time {
	if f.Now == nil {
		return time.Now()
	}
	return f.Now()
}

// BlobURL returns a path that ends in a name and, for a day or two, authorises
// whoever has it to read it; that the caller may is for the caller to know.
func (f *Flow) BlobURL(ctx context.Context, path string) (string, error) {
	signer, err := f.Signer(ctx)
	if err != nil {
		return "", err
	}
	return signer.Sign(path, f.now().Truncate(imageURLFor).Add(2*imageURLFor)), nil
}

// ImageURL returns the path of an item's image, with what authorises whoever
// has it to read it for a day or two; "" while its bytes are not here.
func (f *Flow) ImageURL(ctx context.Context, item store.Item) (string, error) {
	if item.Blob == "" {
		return "", nil
	}
	return f.BlobURL(ctx, "/image/"+item.Blob)
}

// ThumbnailURL is ImageURL for a smaller version: its longer side has size
// pixels, one of ThumbnailSizes.
func (f *Flow) ThumbnailURL(ctx context.Context, item store.Item, size int) (string, error) {
	if item.Blob == "" {
		return "", nil
	}
	return f.BlobURL(ctx, "/thumbnail/"+item.Blob+"/"+strconv.Itoa(size))
}

// OpenImage returns the bytes of an image and its media type: for those whose
// URL authorises them. not_found unless an item has it. The caller closes it.
func (f *Flow) OpenImage(ctx context.Context, hash string) (*blob.Reader, string, error) {
	ref, format, err := f.imageRef(ctx, hash)
	if err != nil {
		return nil, "", err
	}
	file, err := f.Blobs.Open(ctx, ref)
	return file, "image/" + format, err
}

// imageRef finds a blob that is the image of an item.
func (f *Flow) imageRef(ctx context.Context, hash string) (ref blob.Ref, format string, err error) {
	if ref, err = blob.ParseRef(hash); err != nil {
		return ref, "", remuda.Errorf(remuda.NotFound, "there is no image %.80q", hash)
	}
	err = f.DB.Read(ctx, remuda.Caller{}, func(tx *store.Tx) (err error) {
		format, err = tx.ImageFormat(hash)
		return err
	})
	return ref, format, err
}

const (
	thumbnailQuality = 82
	eagerThumbnail   = 256 // made with the perceptual hash, while the image is decoded anyway
)

// ThumbnailSizes are the lengths in pixels that a thumbnail's longer side can have.
func ThumbnailSizes() []int { return []int{128, eagerThumbnail, 512, 1024} }

// Thumbnail returns a smaller version of an image as a JPEG file, made when it
// is first asked for: for those whose URL authorises them.
func (f *Flow) Thumbnail(ctx context.Context, hash string, size int) ([]byte, error) {
	if !slices.Contains(ThumbnailSizes(), size) {
		return nil, remuda.Errorf(remuda.NotFound, "there are no thumbnails of %d pixels", size).WithHint("ask for one of %v", ThumbnailSizes())
	}
	ref, _, err := f.imageRef(ctx, hash)
	if err != nil {
		return nil, err
	}
	name := thumbnailName(size)
	data, err := f.Blobs.Derived(ctx, ref, name)
	if remuda.CodeOf(err) != remuda.NotFound {
		return data, err
	}
	made, err, _ := f.decoding.once.Do(hash+"/"+name, func() (any, error) {
		// Others wait for the same thumbnail: the first one's leaving must not cost them theirs.
		return f.makeThumbnail(context.WithoutCancel(ctx), ref, size)
	})
	if err != nil {
		return nil, err
	}
	return made.([]byte), nil
}

func thumbnailName(size int) string { return "thumbnail-" + strconv.Itoa(size) + ".jpg" }

func (f *Flow) makeThumbnail(ctx context.Context, ref blob.Ref, size int) (data []byte, err error) {
	err = f.decode(ctx, ref, func(m *imageio.RGB) error {
		data, err = f.keepThumbnail(ctx, ref, m, size)
		return err
	})
	return data, err
}

func (f *Flow) keepThumbnail(ctx context.Context, ref blob.Ref, m *imageio.RGB, size int) ([]byte, error) {
	data, err := imageio.EncodeJPEG(imageio.Thumbnail(m, size), thumbnailQuality)
	if err != nil {
		return nil, err
	}
	return data, f.Blobs.PutDerived(ctx, ref, thumbnailName(size), data)
}

// decoding bounds what images take of memory.
type decoding struct {
	once   singleflight.Group
	begin  sync.Once
	pixels *semaphore.Weighted // pixels decoded at a time
	slots  *semaphore.Weighted // small files stored at a time
}

const (
	decodingPixels = imageio.MaxPixels
	storing        = 16
	smallFile      = 2 << 20 // bytes: such files are held in memory and stored beside each other
)

func (d *decoding) ready() *decoding {
	d.begin.Do(func() {
		d.pixels, d.slots = semaphore.NewWeighted(decodingPixels), semaphore.NewWeighted(storing)
	})
	return d
}

// decode hands an image's pixels to do; not many are decoded at a time. Errors
// of the image are invalid.
func (f *Flow) decode(ctx context.Context, ref blob.Ref, do func(*imageio.RGB) error) error {
	file, err := f.Blobs.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer file.Close()
	size := file.Info().Size
	info, err := imageio.ProbeReader(&headed{rest: file}, size)
	if err != nil {
		return err
	}
	pixels := int64(info.Width) * int64(info.Height)
	limit := f.decoding.ready().pixels
	if err := limit.Acquire(ctx, pixels); err != nil {
		return err
	}
	defer limit.Release(pixels)
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	m, err := imageio.Decode(data)
	if err != nil {
		return err
	}
	return do(m)
}

// headed reads at any place of something that can only seek, of which the
// first bytes may be at hand.
type headed struct {
	head []byte
	rest io.ReadSeeker // nil if head is all
}

// ReadAt reads as io.ReaderAt says, but one call at a time.
func (h *headed) ReadAt(p []byte, off int64) (int, error) {
	if h.rest == nil || off+int64(len(p)) <= int64(len(h.head)) {
		return bytes.NewReader(h.head).ReadAt(p, off)
	}
	if _, err := h.rest.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(h.rest, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// Image is a stored image file and what its header says.
type Image struct {
	imageio.Info
	Blob  string // SHA-256, hex
	Bytes int64
	PHash *uint64 // perceptual hash, if the image was looked at before
	Err   error   // why it is no image that can be kept; the other fields are then not set
}

// ImageBatch takes image files one after the other and stores them beside each other.
type ImageBatch struct {
	ctx    context.Context
	flow   *Flow
	wait   sync.WaitGroup
	images []*Image
	same   map[blob.Ref]*Image // files that are on their way

	mu     sync.Mutex
	failed error
}

// ReceiveImages begins a batch. Storing ends when ctx does.
func (f *Flow) ReceiveImages(ctx context.Context) *ImageBatch {
	return &ImageBatch{ctx: ctx, flow: f, same: make(map[blob.Ref]*Image)}
}

// Add reads a file to its end. Its error is r's, or says that storing has
// failed: the batch is lost then. What is no image is no error: see [ImageBatch.Wait].
func (b *ImageBatch) Add(r io.Reader) error {
	image := &Image{}
	head, err := io.ReadAll(io.LimitReader(r, smallFile))
	if err != nil {
		return err
	}
	if len(head) == smallFile {
		*image, err = b.flow.storeImage(b.ctx, head, r)
		b.images = append(b.images, image)
		return err
	}
	ref := blob.RefOf(head)
	if twin, ok := b.same[ref]; ok {
		b.images = append(b.images, twin)
		return nil
	}
	// Only what has come whole takes one of the places that all senders share:
	// a slow one keeps none from the others.
	slots := b.flow.decoding.ready().slots
	if err := slots.Acquire(b.ctx, 1); err != nil {
		return err
	}
	b.images, b.same[ref] = append(b.images, image), image
	b.wait.Go(func() {
		defer slots.Release(1)
		stored, err := b.flow.storeImage(b.ctx, head, nil)
		if err != nil {
			b.fail(err)
			return
		}
		*image = stored
	})
	return nil
}

func (b *ImageBatch) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil { // the others say the same: the disk is full, the bucket gone
		b.failed = err
	}
}

// Wait returns the files in order once they are safe.
func (b *ImageBatch) Wait() ([]Image, error) {
	b.wait.Wait()
	found := make([]Image, len(b.images))
	for i, image := range b.images {
		found[i] = *image
	}
	return found, b.failed
}

// storeImage stores a file of which head has been read, rest is to be read
// (nil if nothing is), and looks at its header. What cannot be kept has Err;
// an error is a failure of the sender's line or of the storage.
func (f *Flow) storeImage(ctx context.Context, head []byte, rest io.Reader) (Image, error) {
	if rest == nil {
		info, err := imageio.ProbeReader(bytes.NewReader(head), int64(len(head)))
		if err != nil {
			return Image{Err: err}, nil
		}
		ref, size, err := f.Blobs.Put(ctx, bytes.NewReader(head), f.Limits.ImageBytes)
		if remuda.CodeOf(err) == remuda.Invalid { // too large
			return Image{Err: err}, nil
		}
		return Image{Info: info, Blob: ref.String(), Bytes: size}, err
	}
	line := &senderReader{r: rest}
	ref, size, err := f.Blobs.Put(ctx, io.MultiReader(bytes.NewReader(head), line), f.Limits.ImageBytes)
	if err != nil && line.err == nil && remuda.CodeOf(err) == remuda.Invalid { // too large
		_, skipped := io.Copy(io.Discard, rest)
		return Image{Err: err}, skipped
	}
	if err != nil {
		return Image{}, err
	}
	file, err := f.Blobs.Open(ctx, ref)
	if err != nil {
		return Image{}, err
	}
	defer file.Close()
	info, err := imageio.ProbeReader(&headed{head, file}, size)
	if err != nil {
		return Image{Err: err}, nil
	}
	return Image{Info: info, Blob: ref.String(), Bytes: size}, nil
}

// senderReader remembers its reader's error.
type senderReader struct {
	r   io.Reader
	err error
}

// Read reads on.
func (s *senderReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
