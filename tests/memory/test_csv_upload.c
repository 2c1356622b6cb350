// The CSV upload without memory: what was answered with success is recorded, the same file again ends well.
#include "../support/sums.h"
#include "sweep.h"

extern const struct function function;

static struct service s;
static void set_up(void)
{
	s = service_open(&function);
}
static void tear_down(void)
{
	expect_sums(&s.fixture);
	service_close(&s);
}
TestSuite(memory_csv_upload, .init = set_up, .fini = tear_down, .timeout = 240);

#define POST .line = "POST /csv-upload/{project}?as_of=2026-01-31T12:00:00Z", .key = ROLE_ADMIN

Test(memory_csv_upload, topics)
{
	static const struct sweep_request requests[] = {
		{POST, .type = "text/csv",
	         .body = "id,email,cio_subscription_preferences.topics.topic_7,cio_subscription_preferences\n"
	                 "1,a{n}@example.com,false,\n"
	                 "2,b{n}@example.com,true,\"{\"\"topics\"\":{\"\"topic_9\"\":false}}\"\n"
	                 "3,no\x01good,false,\n"},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

Test(memory_csv_upload, form)
{
	static const struct sweep_request requests[] = {
		{POST, .type = "multipart/form-data; boundary=x",
	         .body = "--x\r\nContent-Disposition: form-data; name=\"csv_file\"; filename=\"f.csv\"\r\n\r\n"
	                 "email,unsubscribed\na{n}@example.com,true\r\n--x--\r\n"},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}
