package forge

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// ContentType is the kind of a Container-Optimized OS event in a canonical
// event log, as Confidential Space defines them.
type ContentType byte

// The contents that the launcher of Confidential Space measures.
const (
	ImageRef ContentType = iota
	ImageDigest
	RestartPolicy
	ImageID
	Argument
	Environment
	OverrideArgument
	OverrideEnvironment
	LaunchSeparator
	MemoryMonitor
)

// cosPCR is where the launcher measures the workload.
const cosPCR = 13

// Content is one launcher event.
type Content struct {
	Type  ContentType
	Value string
}

// Container is the workload that a Confidential Space machine launches.
type Container struct {
	ImageRef    string
	ImageDigest string
	ImageID     string
	// RestartPolicy is "Never" when empty.
	RestartPolicy string
	Args          []string
	Env           []string // NAME=value
	OverrideArgs  []string
	OverrideEnv   []string
	MemoryMonitor bool
	// NotLaunched leaves out the separator: the launch is not complete.
	NotLaunched bool
}

// HardenedCommandLine is in the shape of the kernel command line of a
// Confidential Space image for production. That of a debug image ends in false.
const HardenedCommandLine = "/syslinux/vmlinuz.A init=/usr/lib/systemd/systemd boot=local rootwait ro noresume console=ttyS0 confidential-space.hardened=true"

// DefaultContainer returns a workload with every kind of event.
func DefaultContainer() *Container {
	return &Container{
		ImageRef:     "europe-docker.pkg.dev/attestctl-forge/test/workload:latest",
		ImageDigest:  "sha256:a1b0135e6b83e3cbb3a2ed8532f4ae1aedb6d3ad2e2fc1f4c8fadb2befadae85",
		ImageID:      "sha256:e7ba1bbe6761d058e5dbde1cfa51efc5e211613a057e28a1e02627deb37d01ac",
		Args:         []string{"/workload", "--serve"},
		Env:          []string{"PATH=/usr/bin:/bin", "HOSTNAME=forged-vm"},
		OverrideArgs: []string{"--verbose"},
		OverrideEnv:  []string{"MODE=test"},
	}
}

// Contents lists the events in the launcher's order.
func (c *Container) Contents() []Content {
	policy := c.RestartPolicy
	if policy == "" {
		policy = "Never"
	}
	monitor := "\x00"
	if c.MemoryMonitor {
		monitor = "\x01"
	}
	out := slices.Concat(
		[]Content{{ImageRef, c.ImageRef}, {ImageDigest, c.ImageDigest}, {RestartPolicy, policy}, {ImageID, c.ImageID}},
		contents(Argument, c.Args), contents(Environment, c.Env),
		contents(OverrideArgument, c.OverrideArgs), contents(OverrideEnvironment, c.OverrideEnv),
		[]Content{{MemoryMonitor, monitor}},
	)
	if !c.NotLaunched {
		out = append(out, Content{Type: LaunchSeparator})
	}
	return out
}

func contents(t ContentType, values []string) []Content {
	var out []Content
	for _, v := range values {
		out = append(out, Content{Type: t, Value: v})
	}
	return out
}

// tlv encodes a field of a canonical event log: type, big-endian length,
// value (TCG Canonical Event Log Format 1.0, 5.1).
func tlv(kind byte, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, size32(value)), value...)
}

// encode nests the content as the launcher does; the digest of an event is
// that of all these bytes.
func (c Content) encode() []byte {
	const cosContent = 80
	return tlv(cosContent, tlv(byte(c.Type), []byte(c.Value)))
}

// EncodeCEL writes a canonical event log for PCR 13 in TLV form.
func EncodeCEL(banks []Alg, contents []Content) ([]byte, error) {
	const pcr = 1
	return encodeCEL(tlv(pcr, []byte{cosPCR}), banks, contents)
}

// EncodeRTMRCEL writes a canonical event log for RTMR 3 in TLV form, as the
// launcher does on TDX: registers of confidential computing have a type of their
// own, and index 0 is MRTD.
func EncodeRTMRCEL(contents []Content) ([]byte, error) {
	const register, rtmr3 = 108, 4
	return encodeCEL(tlv(register, []byte{rtmr3}), []Alg{SHA384}, contents)
}

func encodeCEL(register []byte, banks []Alg, contents []Content) ([]byte, error) {
	const recordNumber, digests = 0, 3
	var out []byte
	for i, c := range contents {
		var list []byte
		for _, b := range banks {
			d, err := digest(b, c.encode())
			if err != nil {
				return nil, fmt.Errorf("canonical event %d: %w", i, err)
			}
			list = append(list, tlv(byte(b&0xff), d)...)
		}
		out = slices.Concat(out,
			tlv(recordNumber, binary.BigEndian.AppendUint64(nil, uint64(i))),
			register,
			tlv(digests, list),
			c.encode())
	}
	return out, nil
}

// extendContents measures the events into PCR 13 of a bank.
func extendContents(alg Alg, bank Bank, contents []Content) error {
	for _, c := range contents {
		d, err := digest(alg, c.encode())
		if err != nil {
			return err
		}
		if err := bank.Extend(alg, cosPCR, d); err != nil {
			return err
		}
	}
	return nil
}
