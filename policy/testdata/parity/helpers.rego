package attest

import data.lib.levels

default allow := false

allow if {
	level(input) >= levels.wanted
	trusted
} else := false if {
	not input.hwmodel
}

default level(_) := 0

level(doc) := 3 if {
	doc.hwmodel == "GCP_INTEL_TDX"
} else := 2 if {
	doc.hwmodel == "GCP_AMD_SEV_SNP"
} else := 1 if {
	doc.hwmodel == "GCP_AMD_SEV"
}

trusted if input.tpm.ak.trust == "certificate"

trusted if {
	input.tpm.ak.trust == "pinned"
	startswith(input.request.name, "dev-")
}

one_of(x) := "first" if x in levels.first

one_of(x) := "second" if x in levels.second

deny contains {"code": "one-of", "msg": one_of(word)} if some word in input.request.words

deny contains {"code": "semver", "msg": "old"} if semver.compare(input.request.name, "1.2.3") < 0

deny contains {"code": "cidr", "msg": "outside"} if not net.cidr_contains("10.0.0.0/8", input.request.name)

deny contains {"code": "glob", "msg": name} if {
	name := input.request.name
	glob.match("{a,b}*(*)^", [], name)
}
