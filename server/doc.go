// Package server releases secrets to those whose evidence a policy allows. It is a
// thin skin over package appraise, which judges evidence exactly as the command
// line does: what `attestctl verify --policy` accepts is released here, and nothing
// else.
//
// A request goes one way: the gate refuses shapes that are no request, the limits
// shed what is too much, a handler reads what is asked for, and release decides.
// Handlers return an answer or an error and write nothing themselves. Every denial
// looks the same to its client; why it was denied is in the audit log.
package server
