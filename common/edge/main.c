// The program entry of every function. Not in the library: it needs the one `function` that each executable defines.
#include "edge/endpoint.h"

extern const struct function function;

int main(int argument_count, char **arguments)
{
	return function_main(&function, argument_count, arguments);
}
