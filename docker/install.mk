# What `make install` puts where, and the Debian packages; read by the Makefile.

$(BUILD)/vgg.1: server/cli/vgg.1 server/cli/manual.awk $(BUILD)/vgg
	$(Q)awk -v vgg=$(BUILD)/vgg -f server/cli/manual.awk $< >$@

# Wherever one is: MODE:FILE:TARGET below $(PREFIX).
installed = 755:$(BUILD)/vgg:bin/vgg \
    $(foreach header,$(wildcard include/*.h),644:$(header):$(header)) \
    644:$(BUILD)/libvgg.a:$(LIBDIR)/libvgg.a \
    644:$(BUILD)/libvgg.so:$(LIBDIR)/libvgg.so.$(VERSION) \
    644:$(BUILD)/vgg.pc:$(LIBDIR)/pkgconfig/vgg.pc \
    644:$(BUILD)/vgg.1:share/man/man1/vgg.1 \
    644:server/cli/completion.bash:share/bash-completion/completions/vgg \
    644:$(BUILD)/vgg.service:lib/systemd/system/vgg.service
# The names by which the shared library is loaded and linked.
links = $(LIBDIR)/$(soname) $(LIBDIR)/libvgg.so
root = $(DESTDIR)$(PREFIX)

# These name $(PREFIX), which another call may have set otherwise: made anew each time.
$(BUILD)/vgg.pc: FORCE
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$${prefix}/include' 'libdir=$${prefix}/$(LIBDIR)' '' \
	    'Name: vgg' 'Description: VGG-16/19 image classification on CPUs' 'Version: $(VERSION)' \
	    'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lvgg' 'Libs.private: $(CORE_LIBS) -pthread' >$@

$(BUILD)/vgg.service: docker/vgg.service FORCE
	$(Q)sed 's|^ExecStart=[^ ]*|ExecStart=$(PREFIX)/bin/vgg|' $< >$@

# Where files are put in place, not staged, the loader is told of its libraries.
tell_loader = $(if $(DESTDIR),,PATH="$$PATH:/usr/sbin:/sbin" ldconfig || \
    echo "the loader does not know of libvgg yet: run ldconfig as root, or set LD_LIBRARY_PATH" >&2)

## install: program, library, manual page, systemd unit below $(DESTDIR)$(PREFIX)
install: all $(BUILD)/vgg.1 $(BUILD)/vgg.pc $(BUILD)/vgg.service
	$(Q)for each in $(installed); do \
	    target=$(root)/$${each##*:}; each=$${each%:*}; echo "$$target"; \
	    install -D -m "$${each%%:*}" "$${each#*:}" "$$target" || exit 1; \
	done
	$(Q)for each in $(links); do ln -sf libvgg.so.$(VERSION) "$(root)/$$each" || exit 1; done
	$(Q)$(tell_loader)

## uninstall: remove what install put there
uninstall:
	$(Q)rm -f $(addprefix $(root)/,$(links) $(foreach each,$(installed),$(lastword $(subst :, ,$(each)))))
	$(Q)$(tell_loader)

## deb: Debian packages in $(BUILD)/deb, built in a copy of the tree
deb:
	$(Q)sh docker/deps.sh build deb
	$(Q)sh docker/debian/build.sh $(BUILD)/deb

## deb-check: build the packages, look into them, run the service as systemd would
deb-check: deb
	$(Q)/usr/bin/python3 tests/install/check_deb.py $(BUILD)/deb

.PHONY: install uninstall deb deb-check
