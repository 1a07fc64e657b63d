package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/attestctl/attestctl/evidence/strictjson"
	"github.com/attestctl/attestctl/evidence/tpm"
	"github.com/attestctl/attestctl/internal/hint"
)

// Limits on a request. A real one has 150 values, and one signature for each image
// key of the workload.
const (
	maxIDTokens   = 64
	maxNonces     = 16
	maxEntities   = 64
	maxSignatures = 300
)

var restForm = strictjson.Form{Depth: 16, Values: 1 << 13, Members: 128}

// decodeREST decodes the body of a verifyAttestation request.
func decodeREST(b []byte) (Bundle, error) {
	n, err := restForm.Parse(b)
	if err != nil {
		return nil, err
	}
	r := new(restRequest)
	if err := r.decode(n); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *restRequest) decode(n strictjson.Node) error {
	err := members{
		"challenge":             intoText(&r.challenge),
		"gcpCredentials":        r.credentials,
		"tpmAttestation":        r.tpmAttestation,
		"confidentialSpaceInfo": r.confidentialSpace,
		"tokenOptions":          r.tokenOptions,
		"tdCcel":                r.tdCCEL,
		"sevSnpAttestation":     r.sevSNP,
		"attester":              intoText(&r.attester),
		"nvidiaAttestation":     r.nvidiaAttestation,
		"instance":              intoText(&r.instance),
	}.decode(n, &r.unknown)
	switch {
	case err != nil:
		return err
	case r.ccel != nil && r.snp != nil:
		return errors.New("tdCcel and sevSnpAttestation: a machine has one of them")
	case r.tpm == nil && r.ccel == nil && r.snp == nil:
		return hint.New(errors.New("the request has no evidence: neither tpmAttestation nor tdCcel nor sevSnpAttestation"),
			"give the body of the verifyAttestation request as it was sent")
	}
	return nil
}

// credentials counts the tokens, which open what the service account may open.
func (r *restRequest) credentials(n strictjson.Node) error {
	return members{
		"serviceAccountIdTokens": intoList(maxIDTokens, func(n strictjson.Node) error {
			r.idTokens++
			_, err := stringOf(n)
			return err
		}),
	}.decode(n, &r.unknown)
}

func (r *restRequest) tpmAttestation(n strictjson.Node) error {
	r.tpm = new(restTPM)
	return members{
		"quotes":            intoList(maxQuotes, r.quote),
		"tcgEventLog":       intoBytes(&r.tpm.eventLog),
		"canonicalEventLog": intoBytes(&r.tpm.cel),
		"akCert":            intoBytes(&r.tpm.akCert),
		"certChain":         intoList(maxIntermediates, appendBytes(&r.tpm.certChain)),
	}.decode(n, &r.unknown)
}

func (r *restRequest) quote(n strictjson.Node) error {
	var q restQuote
	err := members{
		"hashAlgo": func(n strictjson.Node) (err error) {
			if q.hash, err = int32Of(n); err == nil && (q.hash < 0 || q.hash > math.MaxUint16) {
				err = fmt.Errorf("%d is not a TPM algorithm", q.hash)
			}
			return err
		},
		"pcrValues":    q.pcrs,
		"rawQuote":     intoBytes(&q.quote),
		"rawSignature": intoBytes(&q.signature),
	}.decode(n, &r.unknown)
	r.tpm.quotes = append(r.tpm.quotes, q)
	return err
}

// pcrs decodes a map of PCR numbers, which are texts in JSON, in their one spelling.
func (q *restQuote) pcrs(n strictjson.Node) error {
	switch {
	case n.Kind != strictjson.Object:
		return fmt.Errorf("%v, want an object", n.Kind)
	case len(n.Members) > maxPCRValues:
		return fmt.Errorf("%d values, a TPM has %d PCRs", len(n.Members), tpm.MaxPCR+1)
	}
	for _, m := range n.Members {
		index, err := strconv.ParseUint(m.Name, 10, 31)
		if err != nil || strconv.FormatUint(index, 10) != m.Name {
			return fmt.Errorf("%s is not the number of a PCR", strictjson.Quote(m.Name))
		}
		value, err := bytesOf(m.Value)
		if err != nil {
			return fmt.Errorf("%d: %w", index, err)
		}
		q.values = append(q.values, pcrValue{uint32(index), value})
	}
	slices.SortFunc(q.values, func(a, b pcrValue) int { return cmp.Compare(a.index, b.index) })
	return nil
}

func (r *restRequest) tdCCEL(n strictjson.Node) error {
	r.ccel = new(restCCEL)
	return members{
		"ccelAcpiTable":     intoBytes(&r.ccel.table),
		"ccelData":          intoBytes(&r.ccel.data),
		"canonicalEventLog": intoBytes(&r.ccel.cel),
		"tdQuote":           intoBytes(&r.ccel.quote),
	}.decode(n, &r.unknown)
}

func (r *restRequest) sevSNP(n strictjson.Node) error {
	r.snp = new(restSNP)
	return members{
		"report":  intoBytes(&r.snp.report),
		"auxBlob": intoBytes(&r.snp.auxBlob),
	}.decode(n, &r.unknown)
}

// nvidiaAttestation notes a report of a kind that is not verified here.
func (r *restRequest) nvidiaAttestation(n strictjson.Node) error {
	r.nvidia = true
	if n.Kind != strictjson.Object {
		return fmt.Errorf("%v, want an object", n.Kind)
	}
	return nil
}

func (r *restRequest) confidentialSpace(n strictjson.Node) error {
	signature := func(n strictjson.Node) error {
		r.signatures++
		var skip []byte
		return members{
			"payload": intoBytes(&skip), "signature": intoBytes(&skip), "publicKey": intoBytes(&skip),
			"sigAlg": func(n strictjson.Node) error {
				_, err := enumOf(n, nil)
				return err
			},
		}.decode(n, &r.unknown)
	}
	return members{
		"signedEntities": intoList(maxEntities, r.within("containerImageSignatures", intoList(maxSignatures, signature))),
	}.decode(n, &r.unknown)
}

const tokenTypePrefix = "TOKEN_TYPE_"

// tokenTypes are the names of TokenOptions.token_type by number.
var tokenTypes = []string{
	tokenTypePrefix + "UNSPECIFIED", tokenTypePrefix + "OIDC", tokenTypePrefix + "PKI",
	tokenTypePrefix + "LIMITED_AWS", tokenTypePrefix + "AWS_PRINCIPALTAGS",
}

func (r *restRequest) tokenOptions(n strictjson.Node) error {
	o := &r.options
	var keys []string
	return members{
		"audience": intoText(&o.audience),
		"nonce":    intoList(maxNonces, appendText(&o.nonces)),
		"tokenType": func(n strictjson.Node) (err error) {
			o.tokenType, err = enumOf(n, tokenTypes)
			return err
		},
		"awsPrincipalTagsOptions": r.within("allowedPrincipalTags", r.within("containerImageSignatures",
			r.within("keyIds", intoList(maxSignatures, appendText(&keys))))),
	}.decode(n, &r.unknown)
}

// within decodes an object of one member.
func (r *restRequest) within(name string, take func(strictjson.Node) error) func(strictjson.Node) error {
	return func(n strictjson.Node) error { return members{name: take}.decode(n, &r.unknown) }
}
