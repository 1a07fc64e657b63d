package forge_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-tpm-tools/proto/tpm"
	"github.com/google/go-tpm-tools/server"
	"github.com/google/go-tpm/tpm2"

	"github.com/attestctl/attestctl/internal/forge"
)

func TestCasesAreNamedAndPlaced(t *testing.T) {
	t.Parallel()
	names, rows := map[string]bool{}, map[int]int{}
	for _, c := range forge.Cases() {
		if names[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		names[c.Name] = true
		rows[c.Row]++
		if c.Check == "" && c.Want == "" {
			t.Errorf("%s says neither what fails nor what is seen", c.Name)
		}
	}
	if got, want := slices.Sorted(maps.Keys(rows)), []int{18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30}; !slices.Equal(got, want) {
		t.Errorf("rows = %v, want %v", got, want)
	}
}

// TestCasesBreakOneThing verifies each case with a small verifier of its own,
// which knows every check but eventlog.semantics, and each twin with that and
// with go-tpm-tools.
func TestCasesBreakOneThing(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{} // many cases have the same twin
	for _, c := range forge.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			twin, err := c.Twin()
			if err != nil {
				t.Fatalf("Twin() error = %v", err)
			}
			if raw := mustBinary(t, twin); !seen[raw] {
				seen[raw] = true
				if failed := verify(t, twin); len(failed) != 0 {
					t.Errorf("the twin fails %v", failed)
				}
				oracle(t, twin, server.GRUB)
			}
			e, err := c.Build()
			if err != nil {
				t.Fatalf("Build() error = %v", err)
			}
			got := slices.DeleteFunc(verify(t, e), func(id string) bool { return slices.Contains(c.Also, id) })
			var want []string
			if c.Check != "" && c.Check != "eventlog.semantics" {
				want = []string{c.Check}
			}
			if !slices.Equal(got, want) {
				t.Errorf("failed checks = %v, want %v", got, want)
			}
			same := mustBinary(t, e) == mustBinary(t, twin) && bytes.Equal(e.Nonce, twin.Nonce) && samePin(e, twin)
			if c.Check != "" && same {
				t.Error("the case is its own twin")
			}
		})
	}
}

func samePin(a, b *forge.Evidence) bool {
	return a.Root == nil && b.Root == nil || a.Root != nil && b.Root != nil && a.Root.Equal(b.Root)
}

func mustBinary(t *testing.T, e *forge.Evidence) string {
	t.Helper()
	raw, err := e.Binary()
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestCasesAreDeterministic(t *testing.T) {
	t.Parallel()
	first, second := forge.Cases(), forge.Cases()
	for i, c := range first {
		if c.Row != 25 && c.Row != 20 {
			continue // signatures and certificates are where chance could come in
		}
		a, err := c.Build()
		if err != nil {
			t.Fatal(err)
		}
		b, err := second[i].Build()
		if err != nil {
			t.Fatal(err)
		}
		if mustBinary(t, a) != mustBinary(t, b) {
			t.Errorf("%s: two builds differ", c.Name)
		}
	}
}

// verify returns the checks that fail, sorted.
func verify(t *testing.T, e *forge.Evidence) []string {
	t.Helper()
	failed := map[string]bool{}
	check := func(id string, ok bool) {
		if !ok {
			failed[id] = true
		}
	}
	key := verifyKey(e, check)
	banks, boots := map[tpm.HashAlgo]int{}, map[uint32]bool{}
	for _, q := range e.Attestation.GetQuotes() {
		banks[q.GetPcrs().GetHash()]++
		if attest := verifyQuote(e, q, key, check); attest != nil {
			boots[attest.ClockInfo.ResetCount] = true
		}
	}
	check("tpm.quote.banks", len(boots) <= 1)
	strong := 0
	for hash, n := range banks {
		check("tpm.quote.banks", n == 1)
		if hash != tpm.HashAlgo_SHA1 {
			strong++
		}
	}
	check("tpm.quote.banks", strong > 0)
	verifyLog(e, check)
	return slices.Sorted(maps.Keys(failed))
}

func verifyKey(e *forge.Evidence, check func(string, bool)) crypto.PublicKey {
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](e.Attestation.GetAkPub())
	if err != nil {
		check("tpm.ak.attributes", false)
		return nil
	}
	o := public.ObjectAttributes
	check("tpm.ak.attributes", o.FixedTPM && o.FixedParent && o.SensitiveDataOrigin && o.Restricted && o.SignEncrypt && !o.Decrypt)
	key := e.AK.Key()
	check("tpm.ak.attributes", strongKey(key))
	if e.Root != nil {
		if len(e.Attestation.GetAkCert()) == 0 {
			check("tpm.ak.chain", false)
			return key
		}
		cert, err := x509.ParseCertificate(e.Attestation.GetAkCert())
		if err != nil {
			check("tpm.ak.chain", false)
			return key
		}
		verifyCertificate(e, cert, check)
		key = cert.PublicKey
	}
	check("tpm.ak.match", samePublic(public, key))
	return key
}

func strongKey(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= 2048 && key.E == 65537
	case *ecdsa.PublicKey:
		return key.Curve.Params().BitSize >= 256
	}
	return false
}

func samePublic(public *tpm2.TPMTPublic, key crypto.PublicKey) bool {
	if rsaKey, ok := key.(*rsa.PublicKey); ok {
		n, err := public.Unique.RSA()
		return err == nil && bytes.Equal(n.Buffer, rsaKey.N.Bytes())
	}
	point, err := public.Unique.ECC()
	eccKey, ok := key.(*ecdsa.PublicKey)
	if err != nil || !ok {
		return false
	}
	raw, err := eccKey.Bytes()
	return err == nil && bytes.Equal(raw[1:], slices.Concat(point.X.Buffer, point.Y.Buffer))
}

func verifyCertificate(e *forge.Evidence, cert *x509.Certificate, check func(string, bool)) {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(e.Root)
	for _, der := range e.Attestation.GetIntermediateCerts() {
		c, err := x509.ParseCertificate(der)
		check("tpm.ak.chain", err == nil)
		intermediates.AddCert(c)
	}
	instance := 0
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) && len(ext.Value) > 2 {
			cert.UnhandledCriticalExtensions = slices.DeleteFunc(cert.UnhandledCriticalExtensions, ext.Id.Equal)
		}
		if ext.Id.Equal(forge.InstanceOID()) {
			instance++
			var info struct {
				Zone     string `asn1:"utf8"`
				Number   int64
				Project  string `asn1:"utf8"`
				ID       int64
				Name     string `asn1:"utf8"`
				Security struct {
					Version    int64 `asn1:"explicit,tag:0"`
					Production bool  `asn1:"explicit,tag:1"`
				} `asn1:"explicit,tag:0"`
			}
			rest, err := asn1.Unmarshal(ext.Value, &info)
			check("tpm.ak.profile", err == nil && len(rest) == 0 && info.ID > 0 && info.Security.Production)
		}
	}
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: e.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	check("tpm.ak.chain", err == nil)
	check("tpm.ak.profile", instance == 1 && cert.KeyUsage == x509.KeyUsageDigitalSignature && !cert.IsCA &&
		len(cert.ExtKeyUsage) == 0)
}

func verifyQuote(e *forge.Evidence, q *tpm.Quote, key crypto.PublicKey, check func(string, bool)) *tpm2.TPMSAttest {
	signature, err := tpm2.Unmarshal[tpm2.TPMTSignature](q.GetRawSig())
	if err != nil || signature.SigAlg == tpm2.TPMAlgNull || !bytes.Equal(tpm2.Marshal(signature), q.GetRawSig()) {
		check("format.strict", false)
		return nil
	}
	hash, ok := verifySignature(q, signature, key)
	check("tpm.quote.signature", ok)
	raw := bytes.Clone(q.GetQuote())
	magic := binary.BigEndian.Uint32(raw) == uint32(tpm2.TPMGeneratedValue)
	binary.BigEndian.PutUint32(raw, uint32(tpm2.TPMGeneratedValue))
	attest, err := tpm2.Unmarshal[tpm2.TPMSAttest](raw)
	if err != nil {
		check("tpm.quote.magic", false)
		return nil
	}
	check("tpm.quote.magic", magic && attest.Type == tpm2.TPMSTAttestQuote)
	check("tpm.quote.nonce", len(e.Nonce) >= 16 && bytes.Equal(attest.ExtraData.Buffer, e.Nonce))
	quote, err := attest.Attested.Quote()
	if err != nil {
		return attest
	}
	if !verifySelection(q, quote.PCRSelect.PCRSelections) {
		check("tpm.quote.selection", false)
		return attest
	}
	check("tpm.quote.selection", len(q.GetPcrs().GetPcrs()) == 24)
	values, ok := []byte(nil), true
	size := map[tpm.HashAlgo]int{tpm.HashAlgo_SHA1: 20, tpm.HashAlgo_SHA256: 32, tpm.HashAlgo_SHA384: 48}[q.GetPcrs().GetHash()]
	for i := range uint32(24) {
		v := q.GetPcrs().GetPcrs()[i]
		ok = ok && len(v) == size
		values = append(values, v...)
	}
	if hash == 0 {
		return attest // without a signature's hash the digest cannot be computed
	}
	h := hash.New()
	h.Write(values)
	check("tpm.quote.pcrs", ok && bytes.Equal(h.Sum(nil), quote.PCRDigest.Buffer))
	return attest
}

func verifySelection(q *tpm.Quote, selections []tpm2.TPMSPCRSelection) bool {
	return len(selections) == 1 && uint16(selections[0].Hash) == uint16(q.GetPcrs().GetHash()) &&
		bytes.Equal(selections[0].PCRSelect, []byte{0xff, 0xff, 0xff})
}

func verifySignature(q *tpm.Quote, sig *tpm2.TPMTSignature, key crypto.PublicKey) (crypto.Hash, bool) {
	hash := hashIn(q.GetRawSig())
	if hash == 0 {
		return 0, false
	}
	h := hash.New()
	h.Write(q.GetQuote())
	switch key := key.(type) {
	case *rsa.PublicKey:
		s, err := sig.Signature.RSASSA()
		return hash, err == nil && hash != crypto.SHA1 && rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), s.Sig.Buffer) == nil
	case *ecdsa.PublicKey:
		s, err := sig.Signature.ECDSA()
		return hash, err == nil && ecdsa.Verify(key, h.Sum(nil), new(big.Int).SetBytes(s.SignatureR.Buffer), new(big.Int).SetBytes(s.SignatureS.Buffer))
	}
	return hash, false
}

// hashIn returns the hash function that a TPMT_SIGNATURE names, or 0.
func hashIn(sig []byte) crypto.Hash {
	if len(sig) < 4 {
		return 0
	}
	hash, err := forge.Alg(binary.BigEndian.Uint16(sig[2:])).Hash()
	if err != nil || !hash.Available() {
		return 0
	}
	return hash
}

func verifyLog(e *forge.Evidence, check func(string, bool)) {
	l, err := forge.ParseEvents(e.Attestation.GetEventLog())
	if err != nil && bytes.Contains(e.Attestation.GetEventLog(), []byte{1, 0, 0, 0, 0x0b, 1, 32, 0}) {
		check("eventlog.replay", false) // an unknown algorithm is well formed, and replays no bank
		return
	}
	if err != nil || !bytes.Equal(l.SpecID, forge.SpecID(l.Banks)) || len(l.Events) == 0 || len(l.Events) > 20000 {
		check("eventlog.format", false)
		return
	}
	has := map[uint32]bool{}
	for _, event := range l.Events {
		has[event.PCR] = has[event.PCR] || event.Type != forge.EvNoAction
		check("eventlog.format", event.PCR < 24)
	}
	for alg, bank := range e.PCRs {
		if !slices.ContainsFunc(e.Attestation.GetQuotes(), func(q *tpm.Quote) bool { return uint16(q.GetPcrs().GetHash()) == uint16(alg) }) {
			continue
		}
		reset, err := forge.NewBank(alg)
		if err != nil || bytes.Equal(reset[0], bank[0]) {
			check("tpm.quote.banks", false)
			continue
		}
		if !slices.Contains(l.Banks, alg) {
			check("eventlog.replay", false)
			continue
		}
		replayed, err := forge.Replay(alg, l.Events)
		if err != nil {
			check("eventlog.replay", false)
			continue
		}
		for _, i := range []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14} {
			same := bytes.Equal(replayed[i], bank[i])
			check("eventlog.replay", same || !has[i])
			check("eventlog.coverage", same || has[i])
		}
	}
}
