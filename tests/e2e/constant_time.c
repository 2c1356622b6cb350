// Is a secret compared in constant time? Under valgrind, memory marked as undefined stands for the secret: whatever
// branches on it is reported. Run with "naive" it compares as one must not, to show that the report comes.
#include "codec/crypt.h"

#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

int main(int argument_count, char **arguments)
{
	unsigned char secret[CRYPT_SHA256_SIZE], given[CRYPT_SHA256_SIZE];
	bool naive = argument_count > 1 && strcmp(arguments[1], "naive") == 0;
	memset(secret, 7, sizeof(secret));
	memset(given, 7, sizeof(given));
	given[20] = 8;
	VALGRIND_MAKE_MEM_UNDEFINED(secret, sizeof(secret));
	struct slice a = {(const char *)secret, sizeof(secret)}, b = {(const char *)given, sizeof(given)};
	bool equal = naive ? slice_equal(a, b) : crypt_equal(a, b);
	VALGRIND_MAKE_MEM_DEFINED(&equal, sizeof(equal));
	puts(equal ? "equal" : "different");
	return 0;
}
