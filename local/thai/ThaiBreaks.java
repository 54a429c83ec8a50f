package local.thai;

import java.text.BreakIterator;
import java.text.spi.BreakIteratorProvider;
import java.util.Locale;

/**
 * Answers for Thai in a Java runtime that was built without its dictionary.
 *
 * OpenSearch asks such a runtime whether it can find Thai word breaks, and creates no index at all
 * when it can't. Here every character is a word: that passes, and only the thai analyzer, which
 * nothing in this project uses, is worse for it. Compiled by local/java.py.
 */
public final class ThaiBreaks extends BreakIteratorProvider {
    @Override
    public Locale[] getAvailableLocales() {
        return new Locale[] {Locale.of("th")};
    }

    @Override
    public BreakIterator getWordInstance(Locale locale) {
        return BreakIterator.getCharacterInstance(Locale.ROOT);
    }

    @Override
    public BreakIterator getCharacterInstance(Locale locale) {
        return BreakIterator.getCharacterInstance(Locale.ROOT);
    }

    @Override
    public BreakIterator getLineInstance(Locale locale) {
        return BreakIterator.getLineInstance(Locale.ROOT);
    }

    @Override
    public BreakIterator getSentenceInstance(Locale locale) {
        return BreakIterator.getSentenceInstance(Locale.ROOT);
    }
}
