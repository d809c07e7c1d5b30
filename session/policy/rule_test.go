package policy_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session/policy"
)

func TestConditionNames(t *testing.T) {
	for name, want := range map[string]policy.Condition{
		"EQUAL": policy.Equal, "LESS_THAN_OR_EQUAL": policy.LessThanOrEqual, "LASS_THAN_OR_EQUAL": policy.LessThanOrEqual,
		"LESS_THAN": policy.LessThan, "GREATER_THAN_OR_EQUAL": policy.GreaterThanOrEqual,
		"GREATER_THAN": policy.GreaterThan, "NOT_EQUAL": policy.NotEqual,
	} {
		got, err := policy.ParseCondition(name)
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
	for _, name := range []string{"", "equal", "EQUALS", "0", "="} {
		_, err := policy.ParseCondition(name)
		require.ErrorIs(t, err, policy.ErrInvalid)
		require.ErrorContains(t, err, fmt.Sprintf("unknown condition %q; want EQUAL, LESS_THAN_OR_EQUAL, ", name))
	}
}

func TestConditionNumbersAndSigns(t *testing.T) {
	signs := []string{"=", "≤", "<", "≥", ">", "≠", "condition 6"}
	for number, sign := range signs {
		require.Equal(t, sign, policy.Condition(number).String())
	}
	require.Equal(t, policy.Condition(5), policy.NotEqual)
	require.Equal(t, "condition 255", policy.Condition(255).String())
}
