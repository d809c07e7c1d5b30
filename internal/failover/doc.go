// Package failover asks one of several services, in order of preference, and knows which of them can be asked
// now.
//
// Each member has circuits: one that failed is left alone for a while, longer each time and as long as it
// asks for at least, and then tried with one request, before which it says again which chain it serves. What
// an error means for that is for the packages of the services to say: see [Verdict].
//
// Nothing runs in the background: who asks learns how the members are.
package failover
