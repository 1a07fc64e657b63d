package attest

import data.config

default allow := false

allow if {
	models & {input.hwmodel} != set()
	count(banks - config_banks) == 0
	{"sha256"} | banks == banks
	input.submods.gce.zone in zones
}

models := {m | some m in config.models}

config_banks := {b | some b in data.config.banks}

banks contains b if some b in input.tpm.banks

zones := {z | some z in data.config.zones; startswith(z, "europe-")}

pairs[k] := v if some k, v in input.request.map

deny contains {"code": "extra", "msg": msg} if {
	extra := object.keys(pairs) - {"a", "b"}
	count(extra) > 0
	msg := sprintf("extra %v of %v", [extra, sort([json.marshal(v) | some v in pairs])])
}

deny contains {"code": "members", "msg": sprintf("%v in %v", [x, intersection({xs, {1, 2, 3, "a", null}})])} if {
	xs := {x | some x in input.request.list}
	some x in xs
	not x in {1, "a", null}
}

deny contains {"code": "walk", "msg": sprintf("%v", [max(numbers)])} if {
	numbers := {n | walk(input.request, [_, n]); is_number(n)}
	count(numbers) > 1
}
