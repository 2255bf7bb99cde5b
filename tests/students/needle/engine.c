/* A stand-in for Needle's engine, with its C interface (generation 3) and its manners: it keeps a
   conversation until it is reset, and says nothing to anybody where telemetry is off. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int loaded = 0, turns = 0;
static char tools[65536];

int needle_load(const char *data, uint64_t size) {
    if (size < 4 || memcmp(data, "CACT", 4)) return -1;
    loaded = 1;
    return 0;
}

int needle_init(const char *system, const char *schemas, const char *index) {
    const char *telemetry = getenv("NEEDLE_TELEMETRY");
    if (!loaded || !telemetry || strcmp(telemetry, "0")) return -2;
    strncpy(tools, schemas, sizeof tools - 1);
    return 7;
}

void needle_reset(void) { turns = 0; }

int needle_embed(const char *text, const float *audio, int samples, float *out, int size) {
    return -1;
}

int needle_complete(const char *text, const float *audio, int samples, int most, char *out,
                    int size) {
    if (strstr(text, "crash")) abort();
    if (strstr(text, "hang")) sleep(60);
    if (strstr(text, "refuse")) return -3;
    if (strstr(text, "garbage")) return snprintf(out, size, "no json");
    if (strstr(text, "list")) return snprintf(out, size, "[]");
    const char *name = strstr(text, "cancel") ? "cancel" : strstr(text, "book") ? "book" : 0;
    if (strstr(text, "unknown")) name = "unknown";
    if (turns++) name = "book";
    if (!name || (!strstr(tools, name) && strcmp(name, "unknown")))
        return snprintf(out, size, "{\"type\":\"text\",\"function_calls\":[]}");
    const char *last = strrchr(text, ' ');
    char call[512];
    snprintf(call, sizeof call, "{\"name\":\"%s\",\"arguments\":{\"city\":\"%s\"}}", name,
             last ? last + 1 : text);
    const char *more = strstr(text, "both") ? call : "";
    return snprintf(out, size,
                    "{\"type\":\"call\",\"function_calls\":[%s%s%s],\"confidence\":null}", call,
                    *more ? "," : "", more);
}
