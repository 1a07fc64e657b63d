package lib.levels

wanted := 1

first := {"a", "b"}

second := {"b", "c", "\udb40\udc01"}
