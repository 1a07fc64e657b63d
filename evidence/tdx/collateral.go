package tdx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Limits on a directory of collateral. Real files have up to 20 KiB.
const (
	MaxCollateralFile = 1 << 20 // bytes in a file
	maxFiles          = 256     // files in a directory
)

// Collateral is what Intel publishes about one kind of platform, as raw bytes:
// nothing of it was checked yet. Evaluate checks all of it.
type Collateral struct {
	TCBInfo         []byte // JSON: the body of the PCS answer for the platform's FMSPC
	TCBInfoChain    []byte // PEM: TCB signing certificate, root
	QEIdentity      []byte // JSON: the body of the PCS answer
	QEIdentityChain []byte // PEM: TCB signing certificate, root
	PCKCRL          []byte // DER or PEM: by the CA of the platform's PCK certificate
	PCKCRLChain     []byte // PEM: that CA, root; optional, the quote has them too
	RootCRL         []byte // DER or PEM: by the root
}

// CollateralSet is the collateral of any number of kinds of platform, as
// LoadCollateral found it. Nothing of it was checked yet.
type CollateralSet struct {
	slots map[slot][]byte
	infos map[[6]byte][]byte // TCB info by the FMSPC it claims to be for
}

// slot is what a file is, whatever its form.
type slot string

const (
	slotQE             slot = "qe identity"
	slotSigning        slot = "tcb signing chain"
	slotPlatformCRL    slot = "platform ca's pck crl"
	slotPlatformChain  slot = "platform ca's chain"
	slotProcessorCRL   slot = "processor ca's pck crl"
	slotProcessorChain slot = "processor ca's chain"
	slotRootCRL        slot = "root ca's crl"
)

const dirTCBInfo = "tcbinfo"

// collateralFiles are the names a directory of collateral can have, beside
// tcbinfo and README.md.
var collateralFiles = map[string]slot{
	"qe_identity.json":            slotQE,
	"tcb_sign_chain.pem":          slotSigning,
	"pck_crl_platform.der":        slotPlatformCRL,
	"pck_crl_platform.pem":        slotPlatformCRL,
	"pck_crl_platform_chain.pem":  slotPlatformChain,
	"pck_crl_processor.der":       slotProcessorCRL,
	"pck_crl_processor.pem":       slotProcessorCRL,
	"pck_crl_processor_chain.pem": slotProcessorChain,
	"root_ca.crl":                 slotRootCRL,
	"root_ca.crl.der":             slotRootCRL,
	"root_ca.crl.pem":             slotRootCRL,
}

// LoadCollateral reads a directory of collateral:
//
//	tcbinfo/*.json               TCB info, one file for each FMSPC: the body of
//	                             /tdx/certification/v4/tcb?fmspc=…
//	qe_identity.json             the body of /tdx/certification/v4/qe/identity
//	tcb_sign_chain.pem           TCB signing certificate and root: the header
//	                             TCB-Info-Issuer-Chain of either, unescaped
//	pck_crl_platform.der|pem     /sgx/certification/v4/pckcrl?ca=platform
//	pck_crl_processor.der|pem    the same with ca=processor
//	pck_crl_platform_chain.pem   optional: CA and root that issued the CRL
//	pck_crl_processor_chain.pem  the same
//	root_ca.crl[.der|.pem]       the CRL of the Intel SGX Root CA
//	README.md                    ignored
//
// Any other name, a second file for one thing or for one FMSPC, files above
// MaxCollateralFile and TCB info that does not decode are errors. A missing file
// is not: Evaluate reports it where it is needed.
func LoadCollateral(fsys fs.FS) (*CollateralSet, error) {
	entries, err := readDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("collateral: %w", err)
	}
	s := &CollateralSet{slots: map[slot][]byte{}, infos: map[[6]byte][]byte{}}
	for _, e := range entries {
		name := e.Name()
		what, known := collateralFiles[name]
		switch {
		case name == "README.md" && !e.IsDir():
			continue
		case name == dirTCBInfo && e.IsDir():
			err = s.loadTCBInfos(fsys)
		case !known || e.IsDir():
			err = fmt.Errorf("unknown file %q", name)
		case s.slots[what] != nil:
			err = fmt.Errorf("%q is a second file for the %s", name, what)
		default:
			s.slots[what], err = readFile(fsys, name)
		}
		if err != nil {
			return nil, fmt.Errorf("collateral: %w", err)
		}
	}
	return s, nil
}

func (s *CollateralSet) loadTCBInfos(fsys fs.FS) error {
	entries, err := readDir(fsys, dirTCBInfo)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dirTCBInfo, e.Name())
		if e.IsDir() || !strings.HasSuffix(name, ".json") {
			return fmt.Errorf("unknown file %q", name)
		}
		raw, err := readFile(fsys, name)
		if err != nil {
			return err
		}
		info, err := ParseTCBInfo(raw)
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if s.infos[info.FMSPC] != nil {
			return fmt.Errorf("%q is a second file for the fmspc %x", name, info.FMSPC)
		}
		s.infos[info.FMSPC] = raw
	}
	return nil
}

// FMSPCs returns how many kinds of platform the set has TCB info for.
func (s *CollateralSet) FMSPCs() int { return len(s.infos) }

// For returns the collateral for a platform. Having no TCB info for its FMSPC is
// an error.
func (s *CollateralSet) For(pck PCK) (*Collateral, error) {
	if s == nil || s.infos[pck.FMSPC] == nil {
		return nil, fmt.Errorf("no tcb info for the fmspc %x", pck.FMSPC)
	}
	crl, chain := slotPlatformCRL, slotPlatformChain
	if pck.CA == ProcessorCA {
		crl, chain = slotProcessorCRL, slotProcessorChain
	}
	return &Collateral{
		TCBInfo:         s.infos[pck.FMSPC],
		TCBInfoChain:    s.slots[slotSigning],
		QEIdentity:      s.slots[slotQE],
		QEIdentityChain: s.slots[slotSigning],
		PCKCRL:          s.slots[crl],
		PCKCRLChain:     s.slots[chain],
		RootCRL:         s.slots[slotRootCRL],
	}, nil
}

// readDir lists a directory of at most maxFiles entries.
func readDir(fsys fs.FS, name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(fsys, name)
	if err != nil {
		return nil, err
	}
	if len(entries) > maxFiles {
		return nil, fmt.Errorf("%d files in %q, at most %d are read", len(entries), name, maxFiles)
	}
	return entries, nil
}

// readFile reads a regular file of at least one byte and at most
// MaxCollateralFile.
func readFile(fsys fs.FS, name string) (data []byte, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%q is no regular file", name), err)
	}
	data, err = io.ReadAll(io.LimitReader(f, MaxCollateralFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > MaxCollateralFile:
		return nil, fmt.Errorf("%q has more than %d bytes", name, MaxCollateralFile)
	case len(data) == 0:
		return nil, fmt.Errorf("%q is empty", name)
	}
	return data, nil
}
