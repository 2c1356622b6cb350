// Finds the delimiter of a CSV file in its first row: a part of codec/csv, which says what it finds.
#ifndef CIOBRIDGE_CODEC_CSV_SNIFFER_H
#define CIOBRIDGE_CODEC_CSV_SNIFFER_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

#define CSV_DELIMITERS ",;\t"
#define CSV_DELIMITER_COUNT (sizeof(CSV_DELIMITERS) - 1)
#define CSV_BYTE_ORDER_MARK SLICE("\xef\xbb\xbf")

// How far it has come; at the start of a file all zero.
struct csv_sniffer {
	size_t at;
	size_t counts[CSV_DELIMITER_COUNT];
	bool begun;  // the first row, behind empty lines
	bool quoted; // between quotes
	bool within; // behind a byte that no quote can follow to open
};

// Looks at the start of a file, of which each call shows at least as much as the one before. True when *delimiter is
// found: the first row has ended, or no more will come to `head`.
bool csv_sniff(struct csv_sniffer *sniffer, struct slice head, bool can_grow, char *delimiter);

#endif
