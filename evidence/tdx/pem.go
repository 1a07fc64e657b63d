package tdx

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

const pemCertificate = "CERTIFICATE"

// splitPEM decodes exactly n certificates in PEM, back to back, in the one form
// that encoding gives back: 64 columns, a line feed after every line.
func splitPEM(text []byte, n int) (ders [][]byte, certs []*x509.Certificate, err error) {
	for i := range n {
		block, _ := pem.Decode(text)
		if block == nil || block.Type != pemCertificate {
			return nil, nil, fmt.Errorf("certificate %d of %d is missing", i+1, n)
		}
		canonical := pem.EncodeToMemory(block)
		if len(block.Headers) != 0 || !bytes.HasPrefix(text, canonical) {
			return nil, nil, fmt.Errorf("certificate %d is not in the usual form of pem", i+1)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate %d: %w", i+1, err)
		}
		ders, certs, text = append(ders, block.Bytes), append(certs, cert), text[len(canonical):]
	}
	if len(text) != 0 {
		return nil, nil, fmt.Errorf("%d bytes after the %d certificates", len(text), n)
	}
	return ders, certs, nil
}

// pemFile decodes a file of exactly n certificates. Unlike in a quote, line ends
// may be those of any system and white space may surround the text.
func pemFile(text []byte, n int) ([]*x509.Certificate, error) {
	if len(text) == 0 {
		return nil, errMissing
	}
	if len(text) > MaxCollateralFile {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(text), MaxCollateralFile)
	}
	text = bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	_, certs, err := splitPEM(append(slices.Clip(text), '\n'), n)
	return certs, err
}

var errMissing = errors.New("missing")
