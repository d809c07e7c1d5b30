package observe

// Bound has the observer of what embeds it, for the packages of this module that work with that.
type Bound struct{ observer *Observer }

// Bind returns what has the observer, which may be nil.
func Bind(o *Observer) Bound { return Bound{o} }

// Observer returns the observer, nil for none.
func (b Bound) Observer() *Observer { return b.observer }
