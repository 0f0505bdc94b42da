// Package imageio turns the bytes of image files into upright RGB pixels, the
// same ones that Pillow's Image.open, ImageOps.exif_transpose and
// convert("RGB") give: models trained elsewhere have seen those. It knows
// nothing of labels.
//
// It reads JPEG, PNG, WebP, GIF, BMP and TIFF, of animations the first frame.
// JPEG goes through libjpeg-turbo where the system has it (JPEGDecoder tells),
// else through the standard library, whose inverse DCT rounds some pixels a
// level or two differently.
//
// Declared limits are checked on the file's header before any pixel is
// decoded, so a hostile file can't cost more memory than they allow.
package imageio
