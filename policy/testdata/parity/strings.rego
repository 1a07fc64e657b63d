package attest

default allow := false

allow if {
	startswith(input.hwmodel, "GCP_")
	not contains(input.swname, "\u0000")
	lower(input.swname) == "gce"
	count(input.request.name) < 64
	count(deny) == 0
}

deny contains {"code": "name", "msg": sprintf("name %q has %d characters", [name, count(name)])} if {
	name := input.request.name
	not regex.match(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`, name)
}

deny contains {"code": "part", "msg": sprintf("part %v: %s", [i, upper(part)])} if {
	some i, part in split(input.request.name, "-")
	substring(part, 0, 1) != trim(substring(part, 0, 1), "xyz\u0001")
}

deny contains concat("|", [trim_space(word), replace(word, "a", "\u00e9"), strings.reverse(word)]) if {
	some word in input.request.words
	indexof(word, "a") > 0
	not endswith(word, "z")
}
