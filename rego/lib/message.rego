# METADATA
# title: Words for denials
# description: |
#   Messages quote what was seen. Every function here is always defined, so that
#   no claim, present or not and of whatever type, can make a denial vanish with
#   its message. They are for messages only: conditions read input themselves,
#   where the type checker of "policy check" sees them.
package attestctl.message

import data.attestctl.config

# METADATA
# title: A claim and what it should have been
# description: path is the claim's, as a list; want says in words what the policy demands.
wants(path, want) := sprintf("%s is %s, want %s", [concat(".", path), seen(path), want])

# METADATA
# title: A claim and the setting that it should have been in
# description: path is the claim's, as a list; setting is the name of a list in data.config.
one_of(path, setting) := wants(path, sprintf("one of %s: %v", [setting, config.get(setting, "unset")]))

# METADATA
# title: A claim and the values that it should have been among
# description: As one_of, with the values themselves, for a setting with a default.
among(path, setting, values) := wants(path, sprintf("one of %s: %v", [setting, values]))

# METADATA
# title: A claim as it was seen
# description: The value at a path of up to five names, strings quoted, or the word absent (for null too).
default seen(_) := "absent"

seen(path) := sprintf("%q", [value]) if {
	value := _value(path)
	is_string(value)
}

seen(path) := sprintf("%v", [value]) if {
	value := _value(path)
	not is_null(value)
	not is_string(value)
}

default _value(_) := null

_value([a]) := input[a]

_value([a, b]) := input[a][b]

_value([a, b, c]) := input[a][b][c]

_value([a, b, c, d]) := input[a][b][c][d]

_value([a, b, c, d, e]) := input[a][b][c][d][e]
