package attest

default allow := false

allow if {
	input.verified_at >= data.config.since
	input.verified_at < data.config.since + (3600 * 24)
	input.oemid % 2 == 1
	data.config.ratio < 1
}

age := input.verified_at - input.request.issued

deny contains {"code": "age", "msg": sprintf("%d seconds, %v days", [age, round(age / 86400)])} if age > 600

deny contains {"code": "order", "msg": sprintf("%v is between %v and %v", [n, min(input.request.list), max(input.request.list)])} if {
	some n in input.request.list
	n > 3
	n < 9223372036854775806
}

deny contains {"code": "sum", "msg": format_int(sum(input.request.list), 10)} if product(input.request.list) > 100

deny contains {"code": "text", "msg": sprintf("%v", [to_number(input.request.digits) + 1])} if {
	to_number(input.request.digits) > 9007199254740992
}

deny contains {"code": "range", "msg": sprintf("%v", [numbers.range(0, n)])} if {
	n := abs(input.request.n)
	n < 20
	bits.and(n, 1) == 1
}

deny contains {"code": "third", "msg": sprintf("%v %v", [n / 3, (n / 3) * 3 == n])} if n := input.request.n
