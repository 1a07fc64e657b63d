package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The events that make a checkpoint.
const (
	eventStart    = "start"    // the first line of a log
	eventResume   = "resume"   // a writer takes the log up again
	eventPeriodic = "periodic" // enough records or time since the last one
	eventClose    = "close"    // the writer ends
)

// signContext begins what is signed.
const signContext = "attestctl audit checkpoint v1\x00"

// checkpoint is a line that vouches for all before it.
type checkpoint struct {
	Seq  uint64 `json:"seq"`
	Prev Hash   `json:"prev"`
	Body struct {
		Time      time.Time `json:"timestamp"`
		Event     string    `json:"event"`
		Every     int       `json:"every"` // records that may follow without a checkpoint
		Torn      *torn     `json:"torn,omitempty"`
		Key       string    `json:"key"` // the public key that signs, in hex
		Signature string    `json:"signature,omitempty"`
	} `json:"checkpoint"`
}

// checkpointMark is where the head of a checkpoint ends.
const checkpointMark = `"checkpoint":{`

// torn tells of the line that was cut.
type torn struct {
	Bytes  int  `json:"bytes"`
	SHA256 Hash `json:"sha256"`
}

// line returns the checkpoint as it stands in the log.
func (c *checkpoint) line() ([]byte, error) {
	c.Body.Time = c.Body.Time.UTC()
	return encode(c)
}

// message returns what is signed: the line without the signature.
func (c *checkpoint) message() ([]byte, error) {
	unsigned := *c
	unsigned.Body.Signature = ""
	line, err := unsigned.line()
	return append([]byte(signContext), line...), err
}

// sign returns the signed line.
func (c *checkpoint) sign(key ed25519.PrivateKey) ([]byte, error) {
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errNoKey
	}
	c.Body.Key = hex.EncodeToString(pub)
	m, err := c.message()
	if err != nil {
		return nil, fmt.Errorf("encoding a checkpoint: %w", err)
	}
	c.Body.Signature = hex.EncodeToString(ed25519.Sign(key, m))
	return c.line()
}

var (
	errOtherKey  = errors.New("a checkpoint that another key signed")
	errSignature = errors.New("a checkpoint with a bad signature")
	errEvent     = errors.New("a checkpoint that no log writes")
)

// check wants an event that there is, and a torn line with one that cuts it.
func (c *checkpoint) check() error {
	if c.Body.Every < 1 || c.Body.Every > maxEvery {
		return errEvent
	}
	switch c.Body.Event {
	case eventStart, eventResume:
		return nil
	case eventPeriodic, eventClose:
		if c.Body.Torn == nil {
			return nil
		}
	}
	return errEvent
}

// decodeCheckpoint reads a line that encoding the checkpoint again gives.
func decodeCheckpoint(line []byte) (*checkpoint, error) {
	c := new(checkpoint)
	if err := json.Unmarshal(line, c); err != nil {
		return nil, fmt.Errorf("%w: %w", errEncoding, err)
	}
	again, err := c.line()
	if err != nil || !bytes.Equal(again, line) {
		return nil, errEncoding
	}
	for text, size := range map[string]int{c.Body.Key: ed25519.PublicKeySize, c.Body.Signature: ed25519.SignatureSize} {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != size || hex.EncodeToString(b) != text {
			return nil, errSignature
		}
	}
	return c, nil
}

// verify wants the checkpoint to be signed with this key.
func (c *checkpoint) verify(pub ed25519.PublicKey) error {
	if c.Body.Key != hex.EncodeToString(pub) {
		return errOtherKey
	}
	m, err := c.message()
	if err != nil {
		return err
	}
	sig, err := hex.DecodeString(c.Body.Signature)
	if err != nil || !ed25519.Verify(pub, m, sig) {
		return errSignature
	}
	return nil
}
