// The opt-out list without memory: what was answered with success is in force.
#include "../support/sums.h"
#include "sweep.h"

extern const struct function function;

static struct service s;

static void set_up(void)
{
	s = service_open(&function);
	struct outcome made = CALL(&s, "POST /optouts/{project}/categories", .key = s.admin,
	                           .body = "{\"key\":\"news\",\"name\":\"News\",\"topic\":\"topic_3\"}");
	EXPECT_STATUS(made, 201);
	struct outcome out = CALL(&s, "POST /optouts/{project}", .key = s.admin,
	                          .body = "{\"identifier\":\"first@example.com\",\"category\":\"news\"}");
	EXPECT_STATUS(out, 200);
}

static void tear_down(void)
{
	expect_sums(&s.fixture);
	service_close(&s);
}
TestSuite(memory_optouts, .init = set_up, .fini = tear_down, .timeout = 240);

static const char *make_project(struct service *service)
{
	struct slice slug = service_project(service);
	return call_format(service, "%.*s", (int)slug.length, slug.data);
}

#define GET(path) {.line = "GET /optouts/{project}" path, .key = ROLE_READ}
#define CHECK(list) "GET /optouts/{project}/check?category=" list "&identifier=a{n}@example.com"

Test(memory_optouts, reading)
{
	static const struct sweep_request requests[] = {
		GET("?category=news"),
		GET("?category=news&search=first@example.com"),
		GET("/check?category=news&identifier=first@example.com"),
		{.line = "POST /optouts/{project}/check", .key = ROLE_READ,
	         .body = "{\"category\":\"news\",\"identifiers\":[\"first@example.com\",\"second@example.com\"]}"},
		GET("/recipients/first@example.com"),
		GET("/categories"),
		GET("/categories/news"),
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

Test(memory_optouts, reports)
{
	static const struct sweep_request requests[] = {
		{.line = "GET /optouts/{project}/export", .key = ROLE_READ, .step = 5},
		GET("/export?category=news&format=jsonl"),
		GET("/audit"),
		GET("/audit/export"),
		GET("/stats"),
		{.line = "POST /optouts/{project}/audit/verify", .key = ROLE_READ, .step = 17},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

Test(memory_optouts, changing)
{
	static const struct sweep_request requests[] = {
		{.line = "POST /optouts/{project}", .key = ROLE_ADMIN,
	         .body = "{\"identifier\":\"A{n}@example.com\",\"category\":\"news\"}", .prove = CHECK("news"),
	         .proof = "\"allowed\":false"},
		{.line = "DELETE /optouts/{project}?category=news&identifier=a{n}@example.com", .key = ROLE_ADMIN,
	         .prove = CHECK("news"), .proof = "\"allowed\":true"},
		{.line = "POST /optouts/{project}/bulk", .key = ROLE_ADMIN,
	         .body = "{\"category\":\"news\",\"opt_outs\":[{\"identifier\":\"a{n}@example.com\"},"
	                 "{\"identifier\":\"b{n}@example.com\"}]}",
	         .prove = CHECK("news"), .proof = "\"allowed\":false"},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}

Test(memory_optouts, categories)
{
	static const struct sweep_request requests[] = {
		{.line = "PATCH /optouts/{project}/categories/news", .key = ROLE_ADMIN,
	         .body = "{\"name\":\"News {n}\"}",
	         .prove = "GET /optouts/{project}/categories/news", .proof = "News {n}"},
		{.line = "POST /optouts/{it}/categories", .key = ROLE_ROOT, .prepare = make_project, .anew = true,
	         .body = "{\"key\":\"key{n}\",\"name\":\"A name\"}",
	         .prove = "GET /optouts/{it}/categories/key{n}", .proof = "key{n}"},
	};
	sweep_requests(&s, requests, COUNT_OF(requests));
}
