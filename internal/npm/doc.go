// Package npm makes things from npm packages that a lock file pins, in the user's cache directory: once, in
// one step, and while no other process does.
//
//	build := npm.Build{
//		Name:     "contracts",
//		Purpose:  "compile the contracts",
//		Dir:      dir,              // npm.Place("contracts", files)
//		Source:   files,            // package.json, package-lock.json, .npmrc and build.mjs
//		Script:   []string{"build.mjs", "artifacts"},
//		Result:   "artifacts",
//		Complete: artifacts.Complete,
//		Stderr:   os.Stderr,
//	}
//	err := build.Run(ctx)
//
// Install scripts of packages are not run. The lock file has no addresses of a registry (.npmrc says
// omit-lockfile-registry-resolved): npm asks the one that the machine is set up for, and the hashes decide.
package npm
