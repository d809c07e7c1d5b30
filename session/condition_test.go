package session_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
)

func TestConditionNames(t *testing.T) {
	for name, want := range map[string]session.Condition{
		"EQUAL": session.Equal, "LESS_THAN_OR_EQUAL": session.LessThanOrEqual, "LASS_THAN_OR_EQUAL": session.LessThanOrEqual,
		"LESS_THAN": session.LessThan, "GREATER_THAN_OR_EQUAL": session.GreaterThanOrEqual,
		"GREATER_THAN": session.GreaterThan, "NOT_EQUAL": session.NotEqual,
	} {
		got, err := session.ParseCondition(name)
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
	for _, name := range []string{"", "equal", "EQUALS", "0", "="} {
		_, err := session.ParseCondition(name)
		require.ErrorIs(t, err, session.ErrInvalid)
		require.ErrorContains(t, err, fmt.Sprintf("unknown condition %q; want EQUAL, LESS_THAN_OR_EQUAL, ", name))
	}
}

func TestConditionNumbersAndSigns(t *testing.T) {
	signs := []string{"=", "≤", "<", "≥", ">", "≠", "condition 6"}
	for number, sign := range signs {
		require.Equal(t, sign, session.Condition(number).String())
	}
	require.Equal(t, session.Condition(5), session.NotEqual)
	require.Equal(t, "condition 255", session.Condition(255).String())
}
