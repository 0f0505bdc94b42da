package blob

import (
	"context"
	"net/url"
	"strings"

	cloud "gocloud.dev/blob"

	"remuda"
)

// OpenURL opens a folder by its path or file:// URL, making what is missing of
// it, or a bucket by its URL:
//
//	s3://NAME?region=eu-west-1
//	s3://NAME?endpoint=https://HOST:PORT   a service that speaks S3
//	s3://NAME?prefix=remuda/               a part of a bucket
//	gs://NAME, azblob://NAME               in builds with the tag gcs or azure
//
// Credentials come from where the service's own tools take them (for S3 the
// AWS_ variables, ~/.aws or the machine's role). A bucket must be there and is
// looked at before OpenURL returns: unavailable if it can't be reached.
// Uploads to a bucket that a kill cuts short may leave unseen parts there: give
// the bucket a rule that aborts incomplete uploads after a day.
func OpenURL(ctx context.Context, location string) (*Store, error) {
	path := location
	if strings.Contains(location, "://") {
		u, err := url.Parse(location)
		if err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "the bucket's address is no URL").
				WithHint("write it like s3://NAME?region=REGION")
		}
		if u.Scheme != "file" {
			return openBucketURL(ctx, u)
		}
		if u.Host != "" || u.RawQuery != "" {
			return nil, remuda.Errorf(remuda.Invalid, "%s names no folder of this machine", location).
				WithHint("write file:///PATH, or just the path")
		}
		path = u.Path
	}
	if path == "" {
		return nil, remuda.Errorf(remuda.Invalid, "no folder or bucket is named").WithHint("give a folder's path or a bucket's URL")
	}
	f, err := openFolder(disk{}, path)
	if err != nil {
		return nil, err
	}
	return &Store{medium: f}, nil
}

func openBucketURL(ctx context.Context, u *url.URL) (*Store, error) {
	if !cloud.DefaultURLMux().ValidBucketScheme(u.Scheme) {
		return nil, unknownScheme(u.Scheme)
	}
	b, err := openBucket(ctx, u)
	if err != nil {
		return nil, err
	}
	return &Store{medium: b}, nil
}
