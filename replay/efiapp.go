package replay

import (
	"bytes"
	"fmt"
)

// readExitBootServices reads the strings in PCR 5 (PFP 1.06, 3.3.4.6).
func (r *bootReader) readExitBootServices() {
	ebs := &r.boot.ExitBootServices
	for i := range r.events {
		m := &r.events[i]
		if m.PCR != 5 {
			continue
		}
		switch {
		case m.is(actionEBSInvoked):
			ebs.Invoked = true
		case m.is(actionEBSSuccess):
			ebs.Succeeded = true
		case m.is(actionEBSFailure):
			ebs.Failed = true
		default:
			continue
		}
		r.want(m, evEFIAction)
	}
}

// appReader follows the boot attempts in PCR 4.
type appReader struct {
	calling bool
	apps    []string // of the attempt that is being read
}

// readApps reads the EFI applications in PCR 4 (PFP 1.06, 3.3.4.5): the images
// of the last boot option. Their digests are PE hashes, so an image is whatever
// is neither a string nor a separator: nothing in PCR 4 is left out.
func (r *bootReader) readApps() {
	var a appReader
	for i := range r.events {
		if m := &r.events[i]; m.PCR == 4 && !m.separates() {
			r.readApp(m, &a)
		}
	}
	if !r.boot.ExitBootServices.Invoked {
		return // the firmware may still measure more
	}
	if r.boot.Attempts > 0 && !a.calling {
		r.missing(4, "the last boot option returned, yet boot services ended")
		return
	}
	r.boot.EFIApps = a.apps
}

func (r *bootReader) readApp(m *measured, a *appReader) {
	switch {
	case m.is(actionCalling):
		r.want(m, evEFIAction)
		if a.calling {
			r.found(m, "a boot option is called before the one before it returned")
		}
		a.calling, a.apps = true, nil
		r.boot.Attempts++
	case m.is(actionReturning):
		r.want(m, evEFIAction)
		if !a.calling {
			r.found(m, "a boot option returns that was not called")
		}
		a.calling, a.apps = false, nil
	case m.verified:
		r.found(m, "the content is neither an image nor a known action")
	default:
		r.want(m, evBootServicesApp)
		if err := checkImageLoad(m.Data); err != nil {
			r.found(m, err.Error())
		}
		if !a.calling {
			r.found(m, "an image runs outside a boot option")
		}
		a.apps = append(a.apps, r.digest(m))
	}
}

// checkImageLoad wants the form of a UEFI_IMAGE_LOAD_EVENT (PFP 1.06, 10.2.3):
// three addresses and sizes, and a device path of the length given. shim and
// GRUB log up to nine bytes more, as sizeof counts the structure. Nothing in it
// is measured, and nothing of it is used.
func checkImageLoad(data []byte) error {
	c := cursor{buf: data}
	c.take(3*8, "image location")
	path := c.u64("device path length")
	c.take(path, "device path")
	switch rest := len(data) - c.off; {
	case c.err != nil:
		return fmt.Errorf("image load event: %w", c.err)
	case rest > 9:
		return fmt.Errorf("image load event: %d bytes follow the device path", rest)
	}
	return nil
}

// imageMagic begins every PE image (IMAGE_DOS_SIGNATURE), and what is hashed of it.
var imageMagic = []byte("MZ")

// readDrivers reads PCR 2 (PFP 1.06, 3.3.4.3). A digest that is not the hash of
// the data is that of code; what kind of code it is only the type says. The
// digest of an image is the hash of most of its bytes: whoever put these there as
// data would hide the image, so data that begins like one is a finding.
func (r *bootReader) readDrivers() {
	separated := false
	for i := range r.events {
		m := &r.events[i]
		switch {
		case m.PCR != 2:
		case m.verified && bytes.HasPrefix(m.Data, imageMagic):
			r.found(m, "the data is an image, where firmware logs what it knows of one")
		case m.verified && !m.separates():
		case m.separates():
			separated = true
		case separated:
			r.boot.DeviceImages = append(r.boot.DeviceImages, r.digest(m))
		default:
			r.boot.Drivers = append(r.boot.Drivers, r.digest(m))
		}
	}
}
