// SPDX-License-Identifier: Apache-2.0
// The plug-in's log: lines with a level, handed to whatever log the host has. Every line is one line: control
// characters of a value are replaced.
//
// Not here: secrets, tokens and bodies. Callers log names, codes, counts and times only.

using System.Text;

namespace Jumpgate.EcmPlugin;

/// <summary>The weight of a line. Lines up to the configured level are written.</summary>
public enum PluginLogLevel
{
    Error = 0,
    Warn = 1,
    Info = 2,
    Debug = 3,
}

/// <summary>Takes one line of the plug-in's log. Called from any thread.</summary>
public delegate void PluginLogSink(PluginLogLevel level, string line);

internal sealed class PluginLog(PluginLogLevel limit, PluginLogSink sink)
{
    internal void Error(string line) => Write(PluginLogLevel.Error, line);

    internal void Warn(string line) => Write(PluginLogLevel.Warn, line);

    internal void Info(string line) => Write(PluginLogLevel.Info, line);

    internal void Debug(string line) => Write(PluginLogLevel.Debug, line);

    internal void Write(PluginLogLevel level, string line)
    {
        if (level <= limit)
        {
            sink(level, OneLine(line, 4096));
        }
    }

    /// <summary>The text with control and format characters as blanks, cut to <paramref name="limit"/> characters.</summary>
    internal static string OneLine(string text, int limit)
    {
        var made = new StringBuilder(Math.Min(text.Length, limit));
        foreach (var c in text)
        {
            if (made.Length == limit)
            {
                return made.Append('…').ToString();
            }
            var kind = char.GetUnicodeCategory(c);
            made.Append(char.IsControl(c) || kind is System.Globalization.UnicodeCategory.Format
                or System.Globalization.UnicodeCategory.LineSeparator
                or System.Globalization.UnicodeCategory.ParagraphSeparator ? ' ' : c);
        }
        return made.ToString();
    }

    /// <summary>A value of a <c>key=value</c> pair: quoted where it has blanks or quotes.</summary>
    internal static string Value(string? text, int limit = 256)
    {
        if (string.IsNullOrEmpty(text))
        {
            return "-";
        }
        text = OneLine(text, limit);
        return text.AsSpan().IndexOfAny(" \"=") < 0 ? text : '"' + text.Replace("\"", "'", StringComparison.Ordinal) + '"';
    }
}
