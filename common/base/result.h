// What a fallible function returns, and how a failure travels.
//
// Every function that can fail returns enum result; its output goes through the last parameters and is
// untouched on failure. The names say what went wrong in the caller's terms; edge/problem alone knows
// which HTTP answer each of them becomes.
#ifndef CIOBRIDGE_BASE_RESULT_H
#define CIOBRIDGE_BASE_RESULT_H

enum result {
	RESULT_OK,
	RESULT_STOP,            // asked to end; not an error
	RESULT_MALFORMED,       // the bytes are not what they claim to be
	RESULT_UNAUTHENTICATED, // no key or signature, or a wrong one
	RESULT_FORBIDDEN,       // a good key that may not do this
	RESULT_NOT_FOUND,
	RESULT_WRONG_METHOD,
	RESULT_CONFLICT,  // somebody else changed it first, or it is already there
	RESULT_TOO_LARGE, // over a limit that is named where it is checked
	RESULT_UNSUPPORTED_TYPE,
	RESULT_INVALID,     // well-formed but wrong
	RESULT_LIMITED,     // too often; try later
	RESULT_UNAVAILABLE, // the store or a peer cannot be reached, or cannot take it; try later
	RESULT_NO_MEMORY,   // an allocation failed or an arena is at its limit
};

// Leaves the calling function at once with the first result that is not RESULT_OK.
#define TRY(expression)                                                                                            \
	do {                                                                                                       \
		enum result try_result = (expression);                                                             \
		if (try_result != RESULT_OK)                                                                       \
			return try_result;                                                                         \
	} while (0)

// Runs `function(&variable)` when the variable's scope ends.
#define AUTO(function) __attribute__((cleanup(function)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
