package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/attestctl/attestctl/internal/ownfile"
)

// dirStore is a folder with a file for each secret, which holds it byte for byte.
// Folders and files are their owner's alone, and none of them is a link.
type dirStore struct{ root *os.Root }

func openDir(c storeConfig, dir string) (Store, error) {
	root, err := locate(dir, c.Location).open(ownfile.Private)
	if err != nil {
		return nil, err
	}
	return &dirStore{root}, nil
}

func (s *dirStore) Get(ctx context.Context, path string) (*Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := ownfile.Read(s.root, path, MaxSize, ownfile.Private, ownfile.Private)
	if err != nil {
		return nil, missing(err)
	}
	if len(data) == 0 {
		return nil, errEmpty
	}
	return NewValue(data), nil
}

func (s *dirStore) Close() error { return s.root.Close() }

// missing makes the error for a file that does not exist an ErrNotFound.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}
