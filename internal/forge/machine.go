package forge

import (
	"crypto/x509"
	"fmt"
	"slices"

	"github.com/google/go-tpm-tools/proto/attest"
)

// Machine describes a virtual machine. The zero value is an honest GCE
// machine with Secure Boot, GRUB and an RSA attestation key.
type Machine struct {
	// Keys are where every key and random byte comes from; nil stands for
	// NewKeys(DefaultSeed).
	Keys       *Keys
	Technology Technology
	Boot       Boot
	// Log replaces the events of Boot, for example by a real log.
	Log *Log
	// Container is the workload of a Confidential Space machine, measured
	// into PCR 13, or with a TDX quote into RTMR 3, and listed in the canonical
	// event log.
	Container *Container
	// Banks are the PCR banks; nil stands for GCEBanks.
	Banks    []Alg
	AK       KeyType
	AKHash   Alg // of the quotes' signatures; zero stands for SHA-256
	Instance Instance
	// NoCertificate leaves out the AK's certificate, as gotpm does with a
	// key that it made itself.
	NoCertificate bool
	// Hardware adds the report of the processor; nil adds none, whatever the
	// technology.
	Hardware *Hardware
	Edits    Edits
}

// Edits change one stage each; nil changes nothing. The later stages go on
// honestly with what an edit returns.
type Edits struct {
	// Events edits what is measured: PCRs, quotes and log agree on it.
	Events func([]Event) []Event
	// Banks edits the PCR values before they are quoted.
	Banks func(Banks) error
	// AK edits the public area before the key's name is computed.
	AK func(*AK) error
	// Certificate edits the template before the CA signs it.
	Certificate func(*x509.Certificate) error
	// Quote edits each bank's quote before it is signed.
	Quote func(*Quote) error
	// Log edits the log that is shipped; the PCRs stay.
	Log func(*Log) error
	// Attestation edits the finished message; nothing is signed again.
	Attestation func(*attest.Attestation) error
}

// Attest boots the machine and quotes every PCR of every bank with the nonce.
// It returns an error only if the description, or an edit, makes no sense.
func (m Machine) Attest(nonce []byte) (*Evidence, error) {
	m = m.orDefault()
	measured, banks, err := m.measure()
	if err != nil {
		return nil, fmt.Errorf("measuring: %w", err)
	}
	ak, err := newAK(m.Keys, m.Instance.purpose("ak"), m.AK, m.AKHash)
	if err != nil {
		return nil, err
	}
	if err := apply(m.Edits.AK, ak); err != nil {
		return nil, fmt.Errorf("editing the AK: %w", err)
	}
	e := &Evidence{AK: ak, PCRs: banks, Nonce: nonce, Now: Now(), Attestation: &attest.Attestation{AkPub: ak.TPMTPublic()}}
	for _, step := range []struct {
		name string
		do   func(*Evidence) error
	}{
		{"certifying", m.certify},
		{"quoting", m.quote},
		{"writing the log", func(e *Evidence) error { return m.writeLog(e, measured) }},
		{"writing the canonical log", m.writeContainer},
		{"reporting", m.report},
		{"editing the message", func(e *Evidence) error { return apply(m.Edits.Attestation, e.Attestation) }},
	} {
		if err := step.do(e); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return e, nil
}

// apply runs an edit if there is one.
func apply[T any](edit func(T) error, value T) error {
	if edit == nil {
		return nil
	}
	return edit(value)
}

func (m Machine) orDefault() Machine {
	if m.Keys == nil {
		m.Keys = NewKeys(DefaultSeed)
	}
	if m.Banks == nil {
		m.Banks = GCEBanks()
		if m.Log != nil {
			m.Banks = slices.Clone(m.Log.Banks)
		}
	}
	if m.AKHash == 0 {
		m.AKHash = SHA256
	}
	return m
}

// measure boots: it returns the log of what was measured, and the PCRs.
func (m Machine) measure() (*Log, Banks, error) {
	measured := &Log{Banks: slices.Clone(m.Banks)}
	if m.Log != nil {
		measured = m.Log.Clone()
	} else {
		events, err := m.Boot.events(m.Keys, m.Technology)
		if err != nil {
			return nil, nil, err
		}
		measured.Events = events
	}
	if m.Edits.Events != nil {
		measured.Events = m.Edits.Events(measured.Events)
	}
	banks := Banks{}
	for _, alg := range m.Banks {
		bank, err := Replay(alg, measured.Events)
		if err != nil {
			return nil, nil, err
		}
		if m.Container != nil && !m.quotesTDX() {
			if err := extendContents(alg, bank, m.Container.Contents()); err != nil {
				return nil, nil, err
			}
		}
		banks[alg] = bank
	}
	return measured, banks, apply(m.Edits.Banks, banks)
}

func (m Machine) certify(e *Evidence) error {
	if m.NoCertificate {
		return nil
	}
	ca, err := NewCA(m.Keys, "forge")
	if err != nil {
		return err
	}
	template, err := akTemplate(m.Keys, m.Instance)
	if err != nil {
		return err
	}
	if err := apply(m.Edits.Certificate, template); err != nil {
		return err
	}
	leaf, err := ca.Issue(template, e.AK.Key())
	if err != nil {
		return err
	}
	instance := m.Instance.orDefault()
	e.Root = ca.Root
	e.Attestation.AkCert = leaf.Raw
	e.Attestation.IntermediateCerts = [][]byte{ca.Intermediate.Raw}
	e.Attestation.InstanceInfo = &attest.GCEInstanceInfo{ // unsigned: gotpm copies it from the metadata server
		Zone: instance.Zone, ProjectId: instance.ProjectID, ProjectNumber: uint64(max(0, instance.ProjectNumber)),
		InstanceName: instance.Name, InstanceId: uint64(max(0, instance.ID)),
	}
	return nil
}

func (m Machine) quote(e *Evidence) error {
	for _, bank := range m.Banks {
		q, err := newQuote(bank, e.AK, m.AKHash, e.Nonce)
		if err != nil {
			return err
		}
		if err := apply(m.Edits.Quote, q); err != nil {
			return err
		}
		signed, err := q.sign(e.AK, e.PCRs)
		if err != nil {
			return fmt.Errorf("bank %#04x: %w", uint16(bank), err)
		}
		e.Attestation.Quotes = append(e.Attestation.Quotes, signed)
	}
	return nil
}

func (m Machine) writeLog(e *Evidence, measured *Log) error {
	if err := apply(m.Edits.Log, measured); err != nil {
		return err
	}
	raw, err := measured.Encode()
	e.Attestation.EventLog = raw
	return err
}

func (m Machine) writeContainer(e *Evidence) error {
	if m.Container == nil {
		return nil
	}
	var err error
	if m.quotesTDX() {
		e.Attestation.CanonicalEventLog, err = EncodeRTMRCEL(m.Container.Contents())
	} else {
		e.Attestation.CanonicalEventLog, err = EncodeCEL(m.Banks, m.Container.Contents())
	}
	return err
}
