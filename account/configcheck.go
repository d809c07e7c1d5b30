package account

import (
	"fmt"

	"github.com/go-sesame/sesame/internal/ability"
)

// check returns an error for what is missing. A nil pointer, such as a variable that was never set, is told
// when the client is made, as it panics when it is first asked.
func (cfg *Config) check() error {
	switch {
	case cfg.ChainID == 0:
		return fmt.Errorf("%w: client without a ChainID: set Config.ChainID to that of the chain of the node and the bundler", ErrConfig)
	case ability.Missing(cfg.Chain):
		return fmt.Errorf("%w: client without a Chain (%T); ethnode.Dial makes one", ErrConfig, cfg.Chain)
	case ability.Missing(cfg.Bundler):
		return fmt.Errorf("%w: client without a Bundler (%T); bundler.New makes one", ErrConfig, cfg.Bundler)
	}
	for name, optional := range map[string]any{"Paymaster": cfg.Paymaster, "Outbox": cfg.Outbox, "Fees": cfg.Fees} {
		if optional != nil && ability.Missing(optional) {
			return fmt.Errorf("%w: Config.%s is a nil %T; leave the field unset where there is none", ErrConfig, name, optional)
		}
	}
	return nil
}
