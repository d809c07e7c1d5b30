// Package ability finds what a service can do beside its interface, also through the wrappers around it.
package ability

// deepest is how many wrappers are looked through: a chain of them that has no end must not be followed for
// ever.
const deepest = 32

// Find returns the service as a T, or else the first service it wraps that is one. A wrapper of a W, such as
// a decorator that counts, says what it wraps by a method Unwrap() W; one that does not hides what is within.
func Find[T, W any](service W) (found T, ok bool) {
	for range deepest {
		if found, ok = any(service).(T); ok {
			return found, true
		}
		wrapper, wraps := any(service).(interface{ Unwrap() W })
		if !wraps {
			return found, false
		}
		service = wrapper.Unwrap()
	}
	return found, false
}
