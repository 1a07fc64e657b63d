package replay

import "fmt"

// maxVariableName bounds a variable name, in UTF-16 units. The longest that
// firmware and shim measure has 19.
const maxVariableName = 256

// variable is a UEFI_VARIABLE_DATA (PFP 1.06, 10.2.6).
type variable struct {
	guid guid
	name string
	data []byte
}

// parseVariable decodes data. Both lengths are UINT64, whatever uintn size the
// header of the log gives. Whatever follows the variable is returned as rest.
func parseVariable(data []byte) (v variable, rest []byte, err error) {
	c := cursor{buf: data}
	copy(v.guid[:], c.take(16, "variable GUID"))
	units, size := c.u64("name length"), c.u64("data length")
	if c.err == nil && units > maxVariableName {
		return variable{}, nil, fmt.Errorf("variable name has %d characters, the limit is %d", units, maxVariableName)
	}
	name := c.take(2*units, "variable name")
	v.data = c.take(size, "variable data")
	if c.err != nil {
		return variable{}, nil, c.err
	}
	if v.name, err = decodeUTF16(name); err != nil {
		return variable{}, nil, fmt.Errorf("variable name: %w", err)
	}
	return v, data[c.off:], nil
}
