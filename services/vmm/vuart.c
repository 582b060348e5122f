/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550A UART at port 0x3f8 whose line is the VM's console. */
#include "services/vmm/vuart.h"

#include <stdbool.h>
#include <string.h>

#include "kernel/abi.h"
#include "services/vmm/platform.h"
#include "services/vmm/state.h"

/* Registers and bits as the data sheet of the PC16550D names them. */
enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define IER_RX       0x01
#define IER_THRE     0x02
#define IER_LINE     0x04
#define IER_MODEM    0x08
#define IIR_MODEM    0x00
#define IIR_NONE     0x01
#define IIR_THRE     0x02
#define IIR_RX       0x04
#define IIR_LINE     0x06
#define IIR_TIMEOUT  0x0c
#define IIR_FIFO     0xc0
#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define FCR_CLEAR_TX 0x04
#define FCR_KEPT     0xc9
#define LCR_DLAB     0x80
#define MCR_DTR      0x01
#define MCR_RTS      0x02
#define MCR_OUT1     0x04
#define MCR_OUT2     0x08
#define MCR_LOOP     0x10
#define LSR_DATA     0x01
#define LSR_OVERRUN  0x02
#define LSR_THRE     0x20
#define LSR_TEMT     0x40
#define MSR_CTS      0x10
#define MSR_DSR      0x20
#define MSR_RI       0x40
#define MSR_DCD      0x80

#define STATE_VUART   STATE_KIND('u', 'a', 'r', 't')
#define STATE_VERSION 1

_Static_assert(sizeof(struct vuart_state) == 288, "no padding may be saved");

static unsigned fifo_size(const struct vuart *uart)
{
	return uart->s.fcr & FCR_ENABLE ? VUART_FIFO_SIZE : 1;
}

/* How many received bytes the guest may see: what is behind them has not arrived yet. */
static unsigned received(const struct vuart *uart)
{
	unsigned size = fifo_size(uart);

	return uart->s.input_count < size ? uart->s.input_count : size;
}

static unsigned trigger_level(const struct vuart *uart)
{
	static const uint8_t levels[4] = {1, 4, 8, 14};

	return uart->s.fcr & FCR_ENABLE ? levels[uart->s.fcr >> 6] : 1;
}

/*
 * The interrupt of highest rank. Bytes below the FIFO's trigger level count as timed out at once:
 * nothing is gained by letting them wait.
 */
static uint8_t cause(const struct vuart *uart)
{
	const struct vuart_state *s = &uart->s;
	unsigned count = received(uart);

	if ((s->ier & IER_LINE) && s->overrun)
		return IIR_LINE;
	if ((s->ier & IER_RX) && count)
		return count >= trigger_level(uart) ? IIR_RX : IIR_TIMEOUT;
	if ((s->ier & IER_THRE) && s->thre_pending)
		return IIR_THRE;
	if ((s->ier & IER_MODEM) && s->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_irq(struct vuart *uart)
{
	platform_irq(uart->platform, PLATFORM_IRQ_UART, cause(uart) != IIR_NONE);
}

/* In loop-back, the modem's inputs are fed from the outputs; else there is a peer that is ready. */
static uint8_t modem_inputs(uint8_t mcr)
{
	if (!(mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
	       (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void write_mcr(struct vuart *uart, uint8_t value)
{
	uint8_t before = modem_inputs(uart->s.mcr), now;

	uart->s.mcr = value & 0x1f;
	now = modem_inputs(uart->s.mcr);
	/* The ring indicator counts only when it ends. */
	uart->s.msr_delta |= ((before ^ now) & ~MSR_RI) >> 4 | (before & ~now & MSR_RI) >> 4;
}

static void receive(struct vuart *uart, uint8_t byte)
{
	struct vuart_state *s = &uart->s;

	s->input[(s->input_head + s->input_count) % VUART_INPUT_SIZE] = byte;
	s->input_count++;
}

/* There is room again for what vuart_input() refused, unless loop-back keeps the line cut off. */
static void want_input(struct vuart *uart)
{
	struct vuart_state *s = &uart->s;

	if (s->input_wanted && s->input_count <= VUART_INPUT_SIZE / 2 && !(s->mcr & MCR_LOOP)) {
		s->input_wanted = 0;
		platform_console_wanted(uart->platform);
	}
}

static uint8_t read_rbr(struct vuart *uart)
{
	struct vuart_state *s = &uart->s;
	uint8_t byte = s->input[s->input_head];

	if (s->input_count == 0)
		return 0;
	s->input_head = (s->input_head + 1) % VUART_INPUT_SIZE;
	s->input_count--;
	want_input(uart);
	return byte;
}

static void write_thr(struct vuart *uart, uint8_t byte)
{
	struct vuart_state *s = &uart->s;

	if (s->mcr & MCR_LOOP) {
		if (s->input_count < fifo_size(uart))
			receive(uart, byte);
		else
			s->overrun = 1;
	} else if (s->output_count || !platform_console_put(uart->platform, byte)) {
		/* What does not fit into a full transmitter is lost, as on the chip. */
		if (s->output_count < fifo_size(uart))
			s->output[s->output_count++] = byte;
	}
	s->thre_pending = s->output_count == 0;
}

void vuart_output(struct vuart *uart)
{
	struct vuart_state *s = &uart->s;
	unsigned sent = 0;

	if (s->output_count == 0)
		return;
	while (sent < s->output_count && platform_console_put(uart->platform, s->output[sent]))
		sent++;
	memmove(s->output, s->output + sent, s->output_count - sent);
	s->output_count -= sent;
	if (s->output_count == 0)
		s->thre_pending = 1;
	update_irq(uart);
}

size_t vuart_input(struct vuart *uart, const uint8_t *bytes, size_t count)
{
	size_t taken = 0;

	/* In loop-back the receiver is cut off from the line. */
	while (taken < count && !(uart->s.mcr & MCR_LOOP) && uart->s.input_count < VUART_INPUT_SIZE)
		receive(uart, bytes[taken++]);
	if (taken < count)
		uart->s.input_wanted = 1;
	update_irq(uart);
	return taken;
}

static void write_ier(struct vuart *uart, uint8_t value)
{
	/* Enabling it while the transmitter is empty raises it once more; drivers count on that. */
	if ((value & ~uart->s.ier & IER_THRE) && uart->s.output_count == 0)
		uart->s.thre_pending = 1;
	uart->s.ier = value & 0x0f;
}

static void write_fcr(struct vuart *uart, uint8_t value)
{
	struct vuart_state *s = &uart->s;
	bool changed = (value ^ s->fcr) & FCR_ENABLE;

	/* Only what the guest could see is cleared: the rest had not arrived yet. */
	if (changed || (value & FCR_ENABLE && value & FCR_CLEAR_RX)) {
		unsigned count = received(uart);

		s->input_head = (s->input_head + count) % VUART_INPUT_SIZE;
		s->input_count -= count;
	}
	if ((changed || (value & FCR_ENABLE && value & FCR_CLEAR_TX)) && s->output_count) {
		s->output_count = 0;
		s->thre_pending = 1;
	}
	s->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static uint8_t read_iir(struct vuart *uart)
{
	uint8_t value = cause(uart);

	if (value == IIR_THRE)
		uart->s.thre_pending = 0;
	return value | (uart->s.fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t read_lsr(struct vuart *uart)
{
	uint8_t value = (received(uart) ? LSR_DATA : 0) | (uart->s.overrun ? LSR_OVERRUN : 0) |
			(uart->s.output_count ? 0 : LSR_THRE | LSR_TEMT);

	uart->s.overrun = 0;
	return value;
}

static uint8_t read_msr(struct vuart *uart)
{
	uint8_t value = modem_inputs(uart->s.mcr) | uart->s.msr_delta;

	uart->s.msr_delta = 0;
	return value;
}

static uint8_t read_register(struct vuart *uart, uint64_t offset)
{
	bool dlab = uart->s.lcr & LCR_DLAB;

	switch (offset) {
	case RBR_THR:
		return dlab ? uart->s.dll : read_rbr(uart);
	case IER:
		return dlab ? uart->s.dlm : uart->s.ier;
	case IIR_FCR:
		return read_iir(uart);
	case LCR:
		return uart->s.lcr;
	case MCR:
		return uart->s.mcr;
	case LSR:
		return read_lsr(uart);
	case MSR:
		return read_msr(uart);
	default:
		return uart->s.scr;
	}
}

static uint64_t vuart_read(void *device, uint64_t offset, unsigned size)
{
	struct vuart *uart = device;
	uint8_t value = read_register(uart, offset);

	(void)size;
	/* Reading the others changes nothing. */
	if (offset == RBR_THR || offset == IIR_FCR || offset == LSR || offset == MSR)
		update_irq(uart);
	return value;
}

static void vuart_write(void *device, uint64_t offset, unsigned size, uint64_t wide)
{
	struct vuart *uart = device;
	bool dlab = uart->s.lcr & LCR_DLAB;
	uint8_t value = (uint8_t)wide;

	(void)size;
	if (offset == RBR_THR && dlab)
		uart->s.dll = value;
	else if (offset == RBR_THR)
		write_thr(uart, value);
	else if (offset == IER && dlab)
		uart->s.dlm = value;
	else if (offset == IER)
		write_ier(uart, value);
	else if (offset == IIR_FCR)
		write_fcr(uart, value);
	else if (offset == LCR)
		uart->s.lcr = value;
	else if (offset == MCR)
		write_mcr(uart, value);
	else if (offset == SCR)
		uart->s.scr = value;
	want_input(uart); /* the end of loop-back or a cleared FIFO may have made room */
	update_irq(uart);
}

void vuart_init(struct vuart *uart, struct platform *platform)
{
	static const struct bus_ops ops = {.read = vuart_read, .write = vuart_write};

	memset(uart, 0, sizeof(*uart));
	uart->platform = platform;
	uart->s.dll = 1; /* 115,200 baud */
	uart->s.lcr = 3; /* 8 bits, no parity, one stop bit */
	uart->s.thre_pending = 1;
	bus_add(&platform->ports, VUART_PORT, 8, 1, &ops, uart);
}

size_t vuart_save(const struct vuart *uart, void *buffer, size_t capacity)
{
	return state_put(buffer, capacity, STATE_VUART, STATE_VERSION, &uart->s, sizeof(uart->s));
}

int vuart_load(struct vuart *uart, const void *buffer, size_t size)
{
	struct vuart_state s;

	if (state_get(buffer, size, STATE_VUART, STATE_VERSION, &s, sizeof(s)) != 0)
		return -ABI_EINVAL;
	if (s.input_head >= VUART_INPUT_SIZE || s.input_count > VUART_INPUT_SIZE ||
	    s.output_count > VUART_FIFO_SIZE || s.ier > 0x0f || s.mcr > 0x1f ||
	    (s.fcr & ~FCR_KEPT) || s.overrun > 1 || s.thre_pending > 1 || s.input_wanted > 1 ||
	    s.msr_delta > 0x0f)
		return -ABI_EINVAL;
	uart->s = s;
	update_irq(uart);
	return 0;
}
