# petition: build, run, test. `make help` lists the targets.
#
# MODULES is the architecture: a module may include only headers of modules listed before it
# (`make layers`), and each foreign header belongs to the modules named in OWNERS (`make owners`).

MODULES = buf random log files peer config notify metrics \
          sha256 json input input_multipart csv identity identity_phone negotiate merkle take entry entry_read seal backup minisign note checkpoint \
          tlog tlog_reader tlog_proof opening audit_log lines row_check figures template compress compress_raw zip_stream \
          recent signer_set db db_log db_marks db_sql db_signer db_schema db_desk db_session db_paper db_close db_delivery db_copy db_check \
          pepper petition_text content page_data \
          listener probe http http_accept http_multipart http_reply http_pages http_shared http_stats runkey ephemeral ticket \
          hours writer head tiles watchdog view view_page view_receipt form submit removal paper batch publisher \
          annex letter archive archive_read removed mirror bundle bundle_spool bundle_figures delivery delivery_freeze delivery_build delivery_files download deliveries \
          fetch log_source log_check removed_check bundle_check things verify \
          health monitor lookup thanks receipt sign withdraw pages export session live password visitor delays gate act totp \
          organiser organiser_api desk_page desk desk_login desk_overview desk_delivery desk_handover \
          desk_find desk_paper desk_audit desk_export desk_account desk_organisers \
          setup service control backup_make closing catch_up restore check commands serve terminal usage main

# Headers that the files of one module share.
INTERNAL = bundle_internal db_internal delivery_internal http_internal identity_internal view_internal

OWNERS = sqlite3.h:db microhttpd.h:http zip.h:archive utf8proc.h:identity idn2.h:identity \
         brotli/encode.h:compress zlib.h:compress qrencode.h:desk_account nettle/sha2.h:sha256 nettle/base64.h:buf \
         curl/curl.h:fetch

PREFIX ?= /usr/local
CC ?= cc
BUILD ?= build
PKGS = libmicrohttpd sqlite3 libsodium libcjson libutf8proc libidn2 zlib libbrotlienc libzip libqrencode nettle libcurl
VERSION = 0.1.0

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
       -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wconversion -fno-common
ifdef SANITIZE
OPT = -O1 -g -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LINK = -fsanitize=$(SANITIZE)
else
OPT = -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LINK = -pie -Wl,-z,relro,-z,now
endif
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -DPETITION_VERSION='"$(VERSION)"' -DPETITION_PREFIX='"$(PREFIX)"' \
             $(WARN) $(if $(CI),-Werror) $(OPT) -pthread $(shell pkg-config --cflags $(PKGS)) \
             -I$(BUILD) $(CPPFLAGS) $(CFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS)) -pthread

OBJECTS = $(MODULES:%=$(BUILD)/%.o)
LIBRARY = $(filter-out $(BUILD)/main.o,$(OBJECTS))
UNIT = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
UNIT_PROGRAMS = $(UNIT:%=$(BUILD)/%)

all: $(BUILD)/petition

help:
	@echo 'make            build/petition'
	@echo 'make run        install what is missing, build, and serve a demonstration on 127.0.0.1:8080'
	@echo 'make test       install what the tests need and run them all'
	@echo 'make unit       the unit tests only (needs libcmocka-dev)'
	@echo 'make bench      measure every budget of tests/bench/README.md, in less than ten minutes'
	@echo 'make bench-10m  measure growth to 10,000,000 signatures (10 GB of disk, about six minutes)'
	@echo 'make layers     check that modules depend downwards only'
	@echo 'make owners     check that each foreign header has its owner'
	@echo 'make format     clang-format all sources'
	@echo 'make install    to PREFIX ($(PREFIX)), under DESTDIR'
	@echo 'make deb        $(BUILD)/deb/petition_$(VERSION)_ARCH.deb (needs debhelper)'
	@echo 'make lintian    check that package'
	@echo 'make clean      remove what was built'

$(BUILD)/petition: $(OBJECTS)
	@echo "  LD $@"
	@$(CC) $(LINK) $(LDFLAGS) -o $@ $(OBJECTS) $(LIBS)

$(BUILD)/%.o: server/%.c Makefile | $(BUILD)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# The prefix is compiled in: installing to another one compiles it anew.
$(BUILD)/config.o: $(BUILD)/prefix

$(BUILD)/prefix: FORCE | $(BUILD)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' > $@

$(BUILD)/db_schema.o: $(BUILD)/schema.inc

# schema.sql as the elements of a C array (a string of its length is beyond ISO C).
$(BUILD)/schema.inc: schema.sql Makefile | $(BUILD)
	od -An -v -td1 schema.sql | sed -e 's/ *\([0-9][0-9]*\)/\1,/g' > $@

$(BUILD):
	mkdir -p $@

-include $(OBJECTS:.o=.d)

$(BUILD)/test_%: tests/unit/test_%.c $(LIBRARY)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) -Iserver -Itests/unit -MMD -MP $(LINK) -o $@ $< $(LIBRARY) -lcmocka $(LIBS)

-include $(UNIT_PROGRAMS:=.d)

unit: $(UNIT_PROGRAMS)
	@for t in $(UNIT_PROGRAMS); do echo "# $$t"; $$t || exit 1; done

# Measuring. The program with one transaction per request is built in a folder of its own.
BENCH_PROGRAMS = $(BUILD)/ceiling $(BUILD)/paced $(BUILD)/disk $(BUILD)/fill $(BUILD)/fill_unhashed $(BUILD)/tree $(BUILD)/slow_sync.so

$(BUILD)/fill $(BUILD)/tree: $(BUILD)/%: tests/bench/%.c $(LIBRARY)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) -Iserver $(LINK) -o $@ $< $(LIBRARY) $(LIBS)

$(BUILD)/fill_unhashed: tests/bench/fill.c tests/bench/unhashed.c $(LIBRARY)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) -Iserver $(LINK) -Wl,--wrap=db_edges_append -o $@ $(filter %.c,$^) $(LIBRARY) $(LIBS)

$(BUILD)/ceiling $(BUILD)/paced $(BUILD)/disk: $(BUILD)/%: tests/bench/%.c Makefile | $(BUILD)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) $(LINK) -o $@ $< $(LIBS)

$(BUILD)/slow_sync.so: tests/bench/slow_sync.c Makefile | $(BUILD)
	@echo "  CC $<"
	@$(CC) $(CFLAGS_ALL) -fPIC -shared -o $@ $<

bench bench-10m:
	sh deploy/install-deps.sh --bench
	$(MAKE) all $(BENCH_PROGRAMS)
	$(MAKE) BUILD=$(BUILD)/one CFLAGS='$(CFLAGS) -DWRITER_BATCH_MAX=1' all
	node tests/bench/$@.mjs

run:
	sh deploy/install-deps.sh
	$(MAKE) all
	sh deploy/run-demo.sh

test:
	sh deploy/install-deps.sh --test
	$(MAKE) all $(UNIT_PROGRAMS)
	sh tests/run.sh

layers:
	@seen=" "; bad=0; for m in $(MODULES); do seen="$$seen$$m "; \
	for h in $$(sed -n 's/^#include "\(.*\)\.h"/\1/p' server/$$m.[ch] | sort -u); do \
	case "$$seen banned db_schema $(INTERNAL) " in *" $$h "*) ;; *) echo "server/$$m includes $$h.h, which is listed after it"; bad=1;; esac; \
	done; done; \
	for f in server/*.c; do m=$$(basename $$f .c); case "$$seen" in *" $$m "*) ;; \
	*) echo "$$f is in no layer"; bad=1;; esac; done; exit $$bad

owners:
	@bad=0; for o in $(OWNERS); do header=$${o%%:*}; owner=$${o#*:}; \
	for f in $$(grep -l "#include <$$header>" server/*.[ch]); do \
	case "$$f" in server/$$owner.[ch]|server/$${owner}_*.[ch]) ;; *) echo "$$f includes <$$header>, which belongs to $$owner"; bad=1;; esac; \
	done; done; \
	for h in server/*.h; do $(CC) $(CFLAGS_ALL) -fsyntax-only -x c $$h || bad=1; done; exit $$bad

format:
	clang-format -i server/*.[ch] tests/unit/*.[ch] tests/fuzz/*.c tests/bench/*.c

install: all
	install -D -m 755 $(BUILD)/petition $(DESTDIR)$(PREFIX)/bin/petition
	install -d $(DESTDIR)$(PREFIX)/share/petition
	cp -r public $(DESTDIR)$(PREFIX)/share/petition/
	chmod -R u=rwX,go=rX $(DESTDIR)$(PREFIX)/share/petition
	install -D -m 644 deploy/petition.1 $(DESTDIR)$(PREFIX)/share/man/man1/petition.1
	install -D -m 644 deploy/completion.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/petition
	install -D -m 644 deploy/petition.service $(DESTDIR)$(PREFIX)/lib/systemd/system/petition.service
	install -D -m 644 deploy/petition.socket $(DESTDIR)$(PREFIX)/lib/systemd/system/petition.socket
	install -D -m 644 deploy/petition.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/petition.conf
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/petition/copyright

deb:
	@sh deploy/make-deb.sh $(VERSION) $(BUILD)/deb

lintian:
	lintian --allow-root --fail-on error,warning $(BUILD)/deb/petition_$(VERSION)_*.deb

clean:
	rm -rf $(BUILD)

.PHONY: all help unit run test bench bench-10m layers owners format install deb lintian clean FORCE
