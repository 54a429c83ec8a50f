package local.servers;

import java.text.BreakIterator;
import java.text.spi.BreakIteratorProvider;
import java.util.Locale;

/**
 * Answers for Thai in a Java runtime that was built without its dictionary.
 *
 * OpenSearch asks the runtime whether it can find Thai word breaks, and creates no index if it
 * can't. This class makes every character a word, which OpenSearch accepts. Only the thai analyzer
 * gets worse, and nothing in this project uses that. Compiled by local/servers/java.py.
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
