package tdx

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/attestctl/attestctl/evidence/strictjson"
)

// Document is what TCB info and QE identity have in common. It is not to be
// believed before its signature was checked, which Evaluate does.
type Document struct {
	Issued                  time.Time
	NextUpdate              time.Time
	TCBEvaluationDataNumber uint32

	Signed    []byte   // the bytes of the signed member, exactly as they came
	Signature [64]byte // r ‖ s over Signed by the TCB signing certificate
}

// open decodes the envelope {"<name>": {…}, "signature": "<hex>"} and returns the
// members of the signed object. The envelope has these two members and no other:
// what is beside them is not signed.
func (d *Document) open(raw []byte, name string) (fields, error) {
	var failed error
	f := fields{name, node{}, &failed}
	if len(raw) > MaxCollateralFile {
		return f, fmt.Errorf("%d bytes, at most %d are read", len(raw), MaxCollateralFile)
	}
	if len(raw) == 0 {
		return f, errMissing
	}
	doc, err := form.Parse(raw)
	if err != nil {
		return f, err
	}
	if doc.Kind != strictjson.Object {
		return f, errors.New("not an object")
	}
	for _, m := range doc.Members {
		if m.Name != name && m.Name != "signature" {
			return f, fmt.Errorf("member %q beside %q and \"signature\"", m.Name, name)
		}
	}
	outer := fields{"document", doc, &failed}
	outer.hex("signature", d.Signature[:])
	f.node = outer.child(name).node
	d.Signed = []byte(f.node.Raw)
	d.Issued, d.NextUpdate = f.time("issueDate"), f.time("nextUpdate")
	d.TCBEvaluationDataNumber = f.number("tcbEvaluationDataNumber", 1<<31-1)
	return f, failed
}

// verify checks signature, issue and next update.
func (d *Document) verify(signer *x509.Certificate, at time.Time, floor uint32) error {
	key := p256Key(signer)
	switch {
	case key == nil || !verifyRaw(key, d.Signed, d.Signature):
		return errors.New("signature does not verify under the tcb signing certificate")
	case at.Before(d.Issued):
		return fmt.Errorf("not issued before %s", stamp(d.Issued))
	case at.After(d.NextUpdate):
		return fmt.Errorf("expired: the next update was due at %s", stamp(d.NextUpdate))
	case d.TCBEvaluationDataNumber < floor:
		return fmt.Errorf("tcb evaluation data number is %d, want %d or more", d.TCBEvaluationDataNumber, floor)
	}
	return nil
}
