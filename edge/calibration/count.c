/* A plug-in for qemu-user that counts executed guest instructions and prints the sum at the end, and
 * how many of them are multiplications of 64 bits (MADD and MSUB with MUL, UMULH, SMULH). With page=FILE the sum stands in the first eight octets of that file at every moment, so that the
 * guest itself can map it and read it as a clock.
 *
 * Debian ships no header for plug-ins, so the few declarations that are needed stand here
 * (qemu 7.2, plug-in interface version 1).
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t plugin_id;
struct tb;
struct insn;
enum inline_operation { INLINE_ADD_U64 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*each)(plugin_id, struct tb *));
extern size_t qemu_plugin_tb_n_insns(const struct tb *block);
extern struct insn *qemu_plugin_tb_get_insn(const struct tb *block, size_t index);
extern const void *qemu_plugin_insn_data(const struct insn *insn);
extern void qemu_plugin_register_vcpu_tb_exec_inline(
    struct tb *block, enum inline_operation operation, void *counter, uint64_t amount);
extern void qemu_plugin_register_atexit_cb(plugin_id id, void (*last)(plugin_id, void *), void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static uint64_t own, multiplied;
static uint64_t *executed = &own;

static int share(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, sizeof own) != 0)
        return -1;
    void *page = mmap(NULL, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (page == MAP_FAILED)
        return -1;
    executed = page;
    *executed = 0;
    return 0;
}

static int multiplies(uint32_t word)
{
    return (word & 0xffe00000) == 0x9b000000 || (word & 0xff60fc00) == 0x9b407c00;
}

static void translated(plugin_id id, struct tb *block)
{
    uint64_t multiplications = 0;

    (void)id;
    for (size_t index = 0; index < qemu_plugin_tb_n_insns(block); index++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, index)), sizeof word);
        multiplications += multiplies(word);
    }
    qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, &multiplied, multiplications);
    qemu_plugin_register_vcpu_tb_exec_inline(
        block, INLINE_ADD_U64, executed, qemu_plugin_tb_n_insns(block));
}

static void ended(plugin_id id, void *data)
{
    (void)id;
    (void)data;
    fprintf(stderr, "instructions %llu\n", (unsigned long long)*executed);
    fprintf(stderr, "multiplications %llu\n", (unsigned long long)multiplied);
}

__attribute__((visibility("default"))) int qemu_plugin_install(
    plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc > 0 && strncmp(argv[0], "page=", 5) == 0 && share(argv[0] + 5) != 0) {
        perror(argv[0]);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
