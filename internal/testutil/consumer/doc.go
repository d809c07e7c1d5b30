// Package consumer is an application of somebody else's: its module is not below the library's, so that it
// sees what a stranger sees. Its tests are written as an application's would be, on the public test kits.
package consumer
