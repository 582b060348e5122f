/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may write on the one console now: whole lines of many sources become one stream. */
#include "services/console/mux.h"

#include <string.h>

#define MIN(a, b)   ((a) < (b) ? (a) : (b))
#define MAX(a, b)   ((a) > (b) ? (a) : (b))
#define ESCAPE_ROOM 64u /* what a prefix, an end of line and one byte take at the most */

void mux_source_init(struct mux_source *source, const char *name, bool is_log)
{
	memset(source, 0, offsetof(struct mux_source, kept));
	strncpy(source->name, name, sizeof(source->name) - 1);
	source->is_log = is_log;
	source->is_at_start = true;
}

void mux_add(struct mux *mux, struct mux_source *source)
{
	struct mux_source **link = &mux->sources;

	while (*link)
		link = &(*link)->next;
	source->next = NULL;
	*link = source;
}

/* The owner's line is cut: its rest goes on in a line of its own later. */
static void cut_line(struct mux *mux)
{
	mux->owner->is_at_start = true;
	mux->emit(mux, "\r\n", 2);
	mux->owner = NULL;
}

void mux_end(struct mux *mux, struct mux_source *source)
{
	if (mux->owner == source)
		cut_line(mux);
	source->is_at_start = true;
	source->matched = 0;
}

void mux_remove(struct mux *mux, struct mux_source *source)
{
	for (struct mux_source **link = &mux->sources; *link; link = &(*link)->next) {
		if (*link == source) {
			*link = source->next;
			break;
		}
	}
	mux_end(mux, source);
}

/* The byte so many places before the one that comes next. */
static uint8_t byte_back(const struct mux_source *source, size_t back)
{
	return source->kept[(source->put - back) % MUX_KEPT_MAX];
}

/* So many of the last bytes wait; if they do not begin a line, only those from the next line on. */
static size_t whole_lines(const struct mux_source *source, size_t size)
{
	bool is_all = size == source->kept_size && size < MUX_KEPT_MAX;

	for (size_t whole = size; whole && !is_all; whole--)
		if (whole < source->kept_size && byte_back(source, whole + 1) == '\n')
			return whole;
	return size; /* or one long line: better a part of it than nothing */
}

void mux_silence(struct mux *mux, struct mux_source *source, bool is_silent)
{
	if (source->is_silent == is_silent)
		return;
	source->is_silent = is_silent;
	source->waits_since_ns = 0;
	if (is_silent) {
		/* What is held back waits again. */
		source->pending_size = MIN(source->pending_size + source->matched, MUX_PENDING_MAX);
		source->lost_count = 0;
		mux_end(mux, source);
	} else if (source->lost_count) {
		source->pending_size = whole_lines(source, source->pending_size);
	}
}

void mux_replay(struct mux *mux, struct mux_source *source, size_t size)
{
	size_t again = whole_lines(source, MIN(MIN(size, source->kept_size), MUX_PENDING_MAX));

	mux_end(mux, source);
	source->pending_size = MAX(source->pending_size, again);
}

size_t mux_kept(const struct mux_source *source, uint8_t *bytes, size_t capacity)
{
	size_t size = source->kept_size < capacity ? source->kept_size : capacity;

	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_back(source, size - i);
	return size;
}

void mux_prompt(struct mux *mux, bool is_there)
{
	if (mux->is_prompt_drawn)
		mux->emit(mux, "\r\n", 2);
	mux->has_prompt = is_there;
	mux->is_prompt_drawn = false;
}

bool mux_put(struct mux_source *source, const uint8_t *bytes, size_t size)
{
	size_t first;

	if (size > MUX_PENDING_MAX)
		return false;
	if (size > MUX_PENDING_MAX - source->pending_size) {
		if (!source->is_silent)
			return false;
		source->lost_count += size - (MUX_PENDING_MAX - source->pending_size);
		source->pending_size = MUX_PENDING_MAX - size;
	}
	first = MIN(size, MUX_KEPT_MAX - source->put);
	memcpy(source->kept + source->put, bytes, first);
	memcpy(source->kept, bytes + first, size - first);
	source->put = (source->put + size) % MUX_KEPT_MAX;
	source->pending_size += size;
	source->kept_size = MIN(source->kept_size + size, MUX_KEPT_MAX);
	return true;
}

/* A line may not hold control characters: they could forge another. */
bool mux_put_log(struct mux_source *source, const uint8_t *bytes, size_t size)
{
	if (size + MUX_LOG_PREFIX_SIZE + 2 > MUX_PENDING_MAX - source->pending_size)
		return false;
	mux_put(source, (const uint8_t *)MUX_LOG_PREFIX, MUX_LOG_PREFIX_SIZE);
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = bytes[i] < 0x20 || bytes[i] == 0x7f ? '?' : bytes[i];

		mux_put(source, &byte, 1);
	}
	return mux_put(source, (const uint8_t *)"\r\n", 2);
}

static void begin_line(struct mux *mux, struct mux_source *source)
{
	if (mux->is_prompt_drawn)
		mux->emit(mux, "\r\n", 2);
	mux->is_prompt_drawn = false;
	mux->owner = source;
	mux->line_size = 0;
	if (mux->shows_names && !source->is_log) {
		mux->emit(mux, source->name, strlen(source->name));
		mux->emit(mux, "| ", 2);
	}
}

/* Gives out the part of "corbel: " that was held back. */
static void release_matched(struct mux *mux, struct mux_source *source)
{
	if (!source->matched)
		return;
	if (!mux->owner)
		begin_line(mux, source);
	mux->emit(mux, MUX_LOG_PREFIX, source->matched);
	source->matched = 0;
	source->is_at_start = false;
}

/* True if the byte is held back, or came out as part of a forged prefix. */
static bool hold(struct mux *mux, struct mux_source *source, uint8_t byte)
{
	if (source->is_log || mux->shows_names || !source->is_at_start)
		return false;
	if (byte != (uint8_t)MUX_LOG_PREFIX[source->matched])
		return false;
	source->matched++;
	if (source->matched < MUX_LOG_PREFIX_SIZE)
		return true;
	begin_line(mux, source);
	mux->emit(mux, " ", 1);
	release_matched(mux, source);
	return true;
}

static void put_byte(struct mux *mux, struct mux_source *source, uint8_t byte)
{
	if (hold(mux, source, byte))
		return;
	release_matched(mux, source);
	if (!mux->owner)
		begin_line(mux, source);
	mux->emit(mux, (const char *)&byte, 1);
	mux->line_size++;
	source->is_at_start = byte == '\n' || byte == '\r'; /* column 0, both */
	if (byte == '\n')
		mux->owner = NULL;
}

/* As many bytes as go out now; stops at the end of a line so that others get their turn. */
static void run_source(struct mux *mux, struct mux_source *source)
{
	source->waits_since_ns = 0;
	while (source->pending_size && mux->room(mux) >= ESCAPE_ROOM) {
		uint8_t byte = byte_back(source, source->pending_size--);

		put_byte(mux, source, byte);
		if (byte == '\n')
			break;
	}
}

/* Whether the owner leaves others waiting: what only waits for room in the chip goes on when there
 * is. */
static bool is_held_up(const struct mux *mux)
{
	const struct mux_source *owner = mux->owner;

	return owner &&
	       (!owner->pending_size || (!owner->is_log && mux->line_size >= MUX_LINE_MAX));
}

/* When the unfinished line of a source that waits comes out. */
static uint64_t partial_due(const struct mux *mux, const struct mux_source *source)
{
	uint64_t since = source->waits_since_ns;
	uint64_t quiet = MAX(since, mux->last_ns) + MUX_PARTIAL_WAIT_NS;

	return MIN(quiet, since + MUX_PARTIAL_MAX_NS);
}

/* Whether an end of line waits. */
static bool has_line(const struct mux_source *source)
{
	size_t from = (source->put - source->pending_size) % MUX_KEPT_MAX;
	size_t first = MIN(source->pending_size, MUX_KEPT_MAX - from);

	return memchr(source->kept + from, '\n', first) ||
	       memchr(source->kept, '\n', source->pending_size - first);
}

/*
 * Whether the source can go on now. With several VMs a guest begins a line when it has the whole of
 * it, or after a while: so that what comes in pieces is not torn by the others' lines.
 */
static bool has_work(const struct mux *mux, const struct mux_source *source, uint64_t now_ns)
{
	if (!source->pending_size || source->is_silent)
		return false;
	if (!mux->shows_names || source->is_log || source == mux->owner ||
	    source->pending_size >= MUX_LINE_MAX || has_line(source))
		return true;
	return source->waits_since_ns && now_ns >= partial_due(mux, source);
}

/* The source that waits longest for the line which `owner` holds. */
static struct mux_source *longest_waiter(struct mux *mux, uint64_t now_ns)
{
	struct mux_source *first = NULL;

	for (struct mux_source *s = mux->sources; s; s = s->next) {
		if (s == mux->owner || !s->pending_size || s->is_silent)
			continue;
		if (!s->waits_since_ns)
			s->waits_since_ns = now_ns ? now_ns : 1;
		if (!has_work(mux, s, now_ns))
			continue;
		if (!first || s->waits_since_ns < first->waits_since_ns)
			first = s;
	}
	return first;
}

/* Held-back bytes of a line that does not go on come out after a while. */
static uint64_t release_held(struct mux *mux, uint64_t now_ns)
{
	uint64_t again = UINT64_MAX;

	for (struct mux_source *s = mux->sources; s; s = s->next) {
		if (!s->matched || s->pending_size || s->is_silent)
			continue;
		if (!s->waits_since_ns)
			s->waits_since_ns = now_ns ? now_ns : 1;
		if (now_ns - s->waits_since_ns < MUX_LINE_WAIT_NS) {
			uint64_t due = s->waits_since_ns + MUX_LINE_WAIT_NS;

			again = due < again ? due : again;
		} else if ((!mux->owner || mux->owner == s) && mux->room(mux) >= ESCAPE_ROOM) {
			/* With a space in front: what follows could still make a line of Corbel's
			 * of it. */
			begin_line(mux, s);
			mux->emit(mux, " ", 1);
			release_matched(mux, s);
			s->waits_since_ns = 0;
		}
	}
	return again;
}

/* When the first unfinished line is due. */
static uint64_t first_partial(const struct mux *mux)
{
	uint64_t due = UINT64_MAX;

	for (const struct mux_source *s = mux->sources; s; s = s->next)
		if (s != mux->owner && s->pending_size && !s->is_silent)
			due = MIN(due, partial_due(mux, s));
	return due;
}

uint64_t mux_run(struct mux *mux, uint64_t now_ns)
{
	struct mux_source *waiter;

	for (;;) {
		struct mux_source *next =
			mux->owner && mux->owner->pending_size ? mux->owner : NULL;

		if (mux->room(mux) < ESCAPE_ROOM)
			return UINT64_MAX;
		waiter = longest_waiter(mux, now_ns);
		if (waiter && is_held_up(mux) &&
		    now_ns - waiter->waits_since_ns >= MUX_LINE_WAIT_NS) {
			cut_line(mux);
			next = waiter;
		}
		if (!next && !mux->owner)
			next = waiter;
		if (!next)
			break;
		mux->last_ns = now_ns;
		run_source(mux, next);
	}
	if (mux->has_prompt && !mux->is_prompt_drawn && !mux->owner) {
		if (now_ns < mux->last_ns + MUX_PROMPT_WAIT_NS)
			return mux->last_ns + MUX_PROMPT_WAIT_NS;
		if (mux->room(mux) < MUX_PROMPT_MAX)
			return UINT64_MAX;
		mux->is_prompt_drawn = true;
		mux->draw(mux);
	}
	if (waiter)
		return waiter->waits_since_ns + MUX_LINE_WAIT_NS;
	return MIN(release_held(mux, now_ns), first_partial(mux));
}

bool mux_is_empty(const struct mux *mux)
{
	for (const struct mux_source *s = mux->sources; s; s = s->next)
		if (s->pending_size && !s->is_silent)
			return false;
	return true;
}
