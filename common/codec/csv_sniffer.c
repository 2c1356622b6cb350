#include "codec/csv_sniffer.h"

#include <string.h>

// True at the end of the first row. As long as the delimiter is not known, a quote behind any of them opens.
static bool csv_sniff_byte(struct csv_sniffer *sniffer, char byte)
{
	const char *delimiter = memchr(CSV_DELIMITERS, byte, CSV_DELIMITER_COUNT);

	if (sniffer->quoted) {
		sniffer->quoted = byte != '"';
		sniffer->within = false; // this quote may be the first of two
		return false;
	}
	if (byte == '\n' || byte == '\r')
		return sniffer->begun;
	sniffer->begun = true;
	sniffer->quoted = byte == '"' && !sniffer->within;
	sniffer->within = delimiter == NULL;
	if (delimiter != NULL)
		sniffer->counts[delimiter - CSV_DELIMITERS]++;
	return false;
}

static bool csv_sniff_row(struct csv_sniffer *sniffer, struct slice head)
{
	while (sniffer->at < head.length) {
		if (csv_sniff_byte(sniffer, head.data[sniffer->at++]))
			return true;
	}
	return false;
}

static char csv_sniffed_delimiter(const size_t counts[static CSV_DELIMITER_COUNT])
{
	for (size_t i = 0; i < CSV_DELIMITER_COUNT; i++) {
		if (counts[i] > counts[(i + 1) % CSV_DELIMITER_COUNT] &&
		    counts[i] > counts[(i + 2) % CSV_DELIMITER_COUNT])
			return CSV_DELIMITERS[i];
	}
	return ',';
}

bool csv_sniff(struct csv_sniffer *sniffer, struct slice head, bool can_grow, char *delimiter)
{
	bool may_be_mark = head.length < CSV_BYTE_ORDER_MARK.length && slice_starts_with(CSV_BYTE_ORDER_MARK, head);

	if (may_be_mark && can_grow)
		return false;
	if (sniffer->at == 0 && slice_starts_with(head, CSV_BYTE_ORDER_MARK))
		sniffer->at = CSV_BYTE_ORDER_MARK.length;
	if (!csv_sniff_row(sniffer, head) && can_grow)
		return false;
	*delimiter = csv_sniffed_delimiter(sniffer->counts);
	return true;
}
