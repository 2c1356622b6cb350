// What FastCGI costs by itself: takes whole requests and gives all of them the same answer.
#include <fcgiapp.h>
#include <stdlib.h>

int main(void)
{
	static const char answer[] = "Status: 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
				     "{\"status\":\"ok\"}";
	char piece[16384];
	FCGX_Request request;

	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, 0, 0) != 0)
		return EXIT_FAILURE;
	while (FCGX_Accept_r(&request) == 0) {
		while (FCGX_GetStr(piece, sizeof(piece), request.in) > 0)
			;
		FCGX_PutStr(answer, sizeof(answer) - 1, request.out);
		FCGX_Finish_r(&request);
	}
	return EXIT_FAILURE;
}
