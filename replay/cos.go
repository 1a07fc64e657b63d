package replay

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Container is what the launcher of Confidential Space measured before it
// started the container. Text is as the launcher measured it.
type Container struct {
	// Complete reports that the launcher measured its end marker. Without it the
	// records are a prefix: anything could have followed, and any VM that is not
	// Confidential Space can measure such records itself.
	Complete bool
	Register Register // compare its replay with the quoted value

	ImageReference string
	ImageDigest    string // "sha256:..." of the manifest
	ImageID        string // "sha256:..." of the configuration
	RestartPolicy  string // "Always", "OnFailure" or "Never"
	Args           []string
	Env            map[string]string
	OverrideArgs   []string          // what the operator changed with the VM's metadata
	OverrideEnv    map[string]string // likewise

	MemoryMonitor *bool
	GPUCCMode     string // "ON", "OFF" or "DEVTOOLS" as measured
	GPUBinding    []byte // GPU device attestation binding, not decoded
}

// cosContent is the CEL content type of Container-Optimized OS.
const cosContent = 80

// Types inside it (confidential-space, coscel).
const (
	cosImageReference = iota
	cosImageDigest
	cosRestartPolicy
	cosImageID
	cosArg
	cosEnv
	cosOverrideArg
	cosOverrideEnv
	cosLaunchSeparator
	cosMemoryMonitor
	cosGPUCCMode
	cosGPUBinding
)

type containerReader struct {
	c        *Container
	seen     [cosGPUBinding + 1]bool
	findings []Finding
}

// Container reads the log as that of Confidential Space. Every record has to be
// of its content type, in one register, PCR 13 or RTMR 3, and measured in every
// bank it has a digest for. If there are findings, do not use the Container. It
// never returns nil. The caller compares the replay of Register with a verified
// value, and knows from the boot that the launcher is the one it trusts.
func (l *CEL) Container() (*Container, []Finding) {
	r := &containerReader{c: &Container{Env: map[string]string{}, OverrideEnv: map[string]string{}}}
	for i := range l.Records {
		rec := &l.Records[i]
		if i == 0 {
			r.c.Register = rec.Register
		}
		if err := r.read(rec); err != nil && len(r.findings) < maxFindings {
			r.findings = append(r.findings, Finding{Event: i, PCR: r.pcr(rec), Text: err.Error()})
		}
	}
	return r.c, r.findings
}

func (r *containerReader) pcr(rec *Record) int {
	if rec.Register.CCMR {
		return -1
	}
	return rec.Register.Index
}

func (r *containerReader) read(rec *Record) error {
	switch {
	case rec.Register != ContainerPCR && rec.Register != ContainerRTMR:
		return fmt.Errorf("%v is not a register of Confidential Space", rec.Register)
	case rec.Register != r.c.Register:
		return fmt.Errorf("%v, the records before it are of %v", rec.Register, r.c.Register)
	case rec.UntrustedContentType != cosContent:
		return fmt.Errorf("content type is %d, want %d", rec.UntrustedContentType, cosContent)
	case r.c.Complete:
		return fmt.Errorf("record after the end marker of the launch")
	}
	// The digest covers the content with its type and length, so that neither can
	// be changed.
	for _, d := range rec.digests {
		if !hashes(d.alg, rec.whole, d.value) {
			return fmt.Errorf("the %v digest is not that of the content", d.alg)
		}
	}
	c := cursor{buf: rec.Content}
	kind, value := c.tlv("event")
	c.end("event")
	if c.err != nil {
		return c.err
	}
	return r.set(kind, value)
}

func (r *containerReader) set(kind uint8, value []byte) error {
	if int(kind) >= len(r.seen) {
		return fmt.Errorf("unknown event type %d", kind)
	}
	repeats := kind == cosArg || kind == cosEnv || kind == cosOverrideArg || kind == cosOverrideEnv
	if r.seen[kind] && !repeats {
		return fmt.Errorf("second event of type %d", kind)
	}
	r.seen[kind] = true
	switch kind {
	case cosLaunchSeparator:
		if len(value) != 0 {
			return fmt.Errorf("the end marker has %d bytes, want none", len(value))
		}
		r.c.Complete = true
		return nil
	case cosMemoryMonitor:
		return setFlag(&r.c.MemoryMonitor, value)
	case cosGPUBinding:
		r.c.GPUBinding = value
		return nil
	default:
		return r.setText(kind, value)
	}
}

func (r *containerReader) setText(kind uint8, value []byte) error {
	// Arguments and variables may hold line breaks; what names an image may not.
	allowed := ""
	if kind >= cosArg && kind <= cosOverrideEnv {
		allowed = "\n\r\t"
	}
	if !printable(value, allowed) {
		return fmt.Errorf("text of type %d is not printable UTF-8", kind)
	}
	text := string(value)
	switch kind {
	case cosEnv:
		return setEnv(r.c.Env, text)
	case cosOverrideEnv:
		return setEnv(r.c.OverrideEnv, text)
	case cosRestartPolicy:
		return oneOf(&r.c.RestartPolicy, text, "Always", "OnFailure", "Never")
	case cosGPUCCMode:
		return oneOf(&r.c.GPUCCMode, text, "ON", "OFF", "DEVTOOLS", "UNSET")
	default:
		r.c.setText(kind, text)
		return nil
	}
}

func (c *Container) setText(kind uint8, text string) {
	switch kind {
	case cosImageReference:
		c.ImageReference = text
	case cosImageDigest:
		c.ImageDigest = text
	case cosImageID:
		c.ImageID = text
	case cosArg:
		c.Args = append(c.Args, text)
	case cosOverrideArg:
		c.OverrideArgs = append(c.OverrideArgs, text)
	}
}

func oneOf(field *string, text string, allowed ...string) error {
	if !slices.Contains(allowed, text) {
		return fmt.Errorf("%.64q is not one of %s", text, strings.Join(allowed, ", "))
	}
	*field = text
	return nil
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// setEnv sets NAME=value. A name that is measured twice has no one value.
func setEnv(env map[string]string, text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || !envName.MatchString(name) {
		return fmt.Errorf("environment variable %.64q is not NAME=value", name)
	}
	if _, ok := env[name]; ok {
		return fmt.Errorf("environment variable %.64q is measured twice", name)
	}
	env[name] = value
	return nil
}
