package attest

default allow := false

allow if {
	object.get(input, ["tpm", "ak", "trust"], "none") == "certificate"
	object.get(input.submods, "gce", {}) != {}
	object.get(data.config, ["limits", object.get(input, "swname", "")], 0) > 0
	object.subset(input, {"oemid": 11129})
}

index := {key: {v | some v in values} | some key, values in input.request.map; is_array(values)}

merged := object.union(object.remove(input.request.map, ["a"]), {"z": {"fixed": true}})

deny contains {"code": "merged", "msg": json.marshal(merged)} if count(merged) > 3

deny contains {"code": "index", "msg": sprintf("%v", [index])} if "b" in object.keys(index)

deny contains {"code": "conflict", "msg": "never"} if by_first["\u0001"]

by_first := {substring(word, 0, 1): word | some word in input.request.words}

deny contains {"code": "digest", "msg": crypto.sha256(json.marshal(input.tpm))} if {
	json.filter(input, ["tpm/ak/trust"]) == {"tpm": {"ak": {"trust": "pinned"}}}
}

deny contains {"code": "base64", "msg": base64.encode(input.request.name)} if {
	not base64.is_valid(input.request.name)
	hex.encode(input.request.name) != ""
}
