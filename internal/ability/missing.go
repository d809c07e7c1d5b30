package ability

import "reflect"

// Missing says whether there is no service: nil, or a nil pointer, which an interface does not show. A
// variable of a client's type that was never set is one, and panics in the first call.
func Missing(service any) bool {
	if service == nil {
		return true
	}
	value := reflect.ValueOf(service)
	return value.Kind() == reflect.Pointer && value.IsNil()
}
