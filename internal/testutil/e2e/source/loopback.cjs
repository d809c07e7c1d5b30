// Keeps a program that has no setting for its listening address on the loopback one: node runs this first, by
// --require.
"use strict";

const net = require("node:net");

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (options, ...rest) {
  if (options === null || typeof options !== "object" || !Number.isInteger(options.port)) {
    throw new Error("listening is for { port } only here");
  }
  return listen.call(this, { ...options, host: "127.0.0.1" }, ...rest);
};
