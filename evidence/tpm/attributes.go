package tpm

import "fmt"

// Attributes is a TPMA_OBJECT (TPM 2.0 Part 2, 8.3).
type Attributes uint32

// The attributes of a key that decide whether it may attest.
const (
	FixedTPM            Attributes = 1 << 1
	StClear             Attributes = 1 << 2
	FixedParent         Attributes = 1 << 4
	SensitiveDataOrigin Attributes = 1 << 5
	UserWithAuth        Attributes = 1 << 6
	AdminWithPolicy     Attributes = 1 << 7
	NoDA                Attributes = 1 << 10
	EncryptedDup        Attributes = 1 << 11
	Restricted          Attributes = 1 << 16
	Decrypt             Attributes = 1 << 17
	Sign                Attributes = 1 << 18
	X509Sign            Attributes = 1 << 19
)

var attributeNames = []struct {
	bit  Attributes
	name string
}{
	{FixedTPM, "fixedTPM"},
	{StClear, "stClear"},
	{FixedParent, "fixedParent"},
	{SensitiveDataOrigin, "sensitiveDataOrigin"},
	{UserWithAuth, "userWithAuth"},
	{AdminWithPolicy, "adminWithPolicy"},
	{NoDA, "noDA"},
	{EncryptedDup, "encryptedDuplication"},
	{Restricted, "restricted"},
	{Decrypt, "decrypt"},
	{Sign, "sign"},
	{X509Sign, "x509sign"},
}

// Names lists the attributes that are set, by the names of the specification;
// reserved bits appear as hex.
func (a Attributes) Names() []string {
	var names []string
	for _, n := range attributeNames {
		if a&n.bit != 0 {
			names = append(names, n.name)
			a &^= n.bit
		}
	}
	if a != 0 {
		names = append(names, fmt.Sprintf("0x%08x", uint32(a)))
	}
	return names
}
